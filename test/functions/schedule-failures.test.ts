import { expect, test } from "vitest";
import { useFunctions } from "../support/functions.ts";
import { placeOrderEvent } from "../support/http-event.ts";
import type { Answer } from "../support/http-front.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/order.ts";
import { expectNothingLeaks } from "../support/problems.ts";
import { useRedis } from "../support/redis.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

const TEA = { id: "tea-green", quantity: 2 };

/** As the service answers: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html */
const awsError =
  (status: number, type: string): Answer =>
  (response) =>
    response
      .writeHead(status, { "content-type": "application/json", "x-amzn-errortype": type })
      .end(JSON.stringify({ Message: "said by Scheduler" }));

test.for<[string, Answer, string, number]>([
  ["throttles", awsError(429, "ThrottlingException"), "ThrottlingException", 2],
  ["has an internal error", awsError(500, "InternalServerException"), "InternalServerException", 2],
  ["has no quota left", awsError(402, "ServiceQuotaExceededException"), "ServiceQuotaExceededException", 1],
  ["does not know the group", awsError(404, "ResourceNotFoundException"), "ResourceNotFoundException", 1],
  ["refuses the caller", awsError(403, "AccessDeniedException"), "AccessDeniedException", 1],
  ["hangs up", (response) => response.destroy(), "TimeoutError", 2],
  ["never answers", () => undefined, "TimeoutError", 2],
  ["stalls after its headers", (response) => void response.writeHead(200).write("{"), "AbortError", 1],
  ["asks for a long pause", (response) => response.writeHead(429, { "retry-after": "60" }).end("{}"), "AbortError", 1],
])("when Scheduler %s the order is placed all the same, for the sweep", async ([, answer, errorName, attempts]) => {
  // given
  functions.scheduler.answerWith(answer);

  // when
  const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA));

  // then
  const { pk } = orderOf(reply);
  expect(await redis.client.zRange("orders:pending", 0, -1)).toEqual([pk]);
  expect(functions.scheduler.requests).toEqual(Array.from({ length: attempts }, () => `POST /schedules/${pk}`));
  expect(log.logged).toEqual([
    expect.objectContaining({ level: "INFO", message: "Order placed", pk }),
    expect.objectContaining({ level: "ERROR", pk, error: expect.objectContaining({ name: errorName }) }),
  ]);
  expect(log.metrics).toEqual([expect.objectContaining({ OrdersCreated: 1, ScheduleFailures: 1 })]);
  expect(log.text).not.toContain("tea-green");
  expectNothingLeaks(JSON.stringify(reply));
});

test("a schedule that is there already is a success", async () => {
  functions.scheduler.answerWith(awsError(409, "ConflictException"));

  const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA));

  expect(reply.statusCode).toBe(200);
  expect(log.logged).toEqual([expect.objectContaining({ level: "INFO", message: "Order placed" })]);
  expect(log.metrics).toEqual([expect.not.objectContaining({ ScheduleFailures: expect.anything() })]);
});

test("a schedule whose reply is lost is made once", async () => {
  // given
  functions.scheduler.loseNextReply();

  // when
  const { pk } = orderOf(await functions.invokeHttp("createOrder", placeOrderEvent(TEA)));

  // then
  expect(functions.scheduler.requests).toEqual([`POST /schedules/${pk}`, `POST /schedules/${pk}`]);
  expect(await functions.getSchedule(pk)).toMatchObject({ Name: pk });
  expect(log.logged).toEqual([expect.objectContaining({ level: "INFO" })]);
});
