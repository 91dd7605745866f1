import { describe, expect, test } from "vitest";
import { getOrderEvent, placeOrderEvent } from "../../lab/lambda-host/events.ts";
import { useFunctions } from "../support/functions.ts";
import type { Answer } from "../support/http-front.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/orders.ts";
import { expectNothingLeaks, expectProblem } from "../support/problems.ts";
import { useOwnRedis, useRedis } from "../support/redis.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

const TEA = { id: "tea-green", quantity: 2 };

test("an invocation that is about to be cut off is answered with a problem document, and the log says why", async () => {
  functions.upstash.answerWith(() => undefined);

  const reply = await functions.invokeHttp("getOrder", getOrderEvent("01JD7Y4Q2X8WZ5V3T1R9P7N6MB"), () => 500);

  expectProblem(reply, 500, "internal-error");
  expect(log.logged).toEqual([
    expect.objectContaining({
      level: "ERROR",
      message: "Request failed",
      error: expect.objectContaining({ name: "TimeoutError" }),
    }),
  ]);
});

test("when Redis fails a request gets 500, and the log says why, without what Redis was asked for", async () => {
  functions.upstash.answerWith((call) => call.answer({ status: 401, content: '{"error":"WRONGPASS"}' }));

  const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA));

  expectProblem(reply, 500, "internal-error");
  expect(log.logged).toMatchObject([
    { level: "ERROR", code: "redis_failed", error: { cause: { message: "WRONGPASS" } } },
  ]);
  // Stacks are for the log alone.
  expectNothingLeaks(log.text.replaceAll(/"stack":"(?:[^"\\]|\\.)*"/g, ""));
  expect(functions.scheduler.requests).toEqual([]);
});

describe("no schedule can be created", () => {
  /** As the service answers: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html */
  const awsError =
    (status: number, type: string): Answer =>
    (call) =>
      call.answer({
        status,
        headers: { "content-type": "application/json", "x-amzn-errortype": type },
        content: JSON.stringify({ Message: "said by Scheduler" }),
      });

  test.for<[string, Answer, string, number]>([
    ["throttles", awsError(429, "ThrottlingException"), "ThrottlingException", 2],
    ["has no quota left", awsError(402, "ServiceQuotaExceededException"), "ServiceQuotaExceededException", 1],
    ["never answers", () => undefined, "TimeoutError", 2],
    ["stalls after its headers", ({ outgoing }) => outgoing.writeHead(200).write("{"), "AbortError", 1],
    [
      "asks for a long pause",
      (call) => call.answer({ status: 429, headers: { "retry-after": "60" }, content: "{}" }),
      "AbortError",
      1,
    ],
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
});

describe("a full database", () => {
  const MIB = 1024 * 1024;
  const DATABASE_BYTES = 16 * MIB;
  const PLENTY = () => 45_000;

  const redis = useOwnRedis();
  const functions = useFunctions(redis, undefined, { databaseBytes: DATABASE_BYTES });

  const place = () => functions.invokeHttp("createOrder", placeOrderEvent(TEA));
  const statusOf = async (pk: string) => orderOf(await functions.invokeHttp("getOrder", getOrderEvent(pk))).status;

  test("while the database is full orders can be read, POST gets 500, and all goes on once there is space", async () => {
    // given
    const { pk } = orderOf(await place());
    await redis.client.zAdd("orders:pending", { value: pk, score: 0 });
    for (let n = 0; n < 20; n += 1) await redis.client.set(`filler:${n}`, Buffer.alloc(MIB));

    // when
    const refused = await place();
    await expect(functions.invokeJob("sweepOrders", {}, PLENTY)).rejects.toMatchObject({ code: "redis_failed" });

    // then
    expect(refused.statusCode).toBe(500);
    expect(await statusOf(pk)).toBe("pending");
    expect(log.text).toContain("ERR DB capacity quota exceeded");
    expect(log.metrics).toContainEqual(expect.objectContaining({ OverdueOrders: 1 }));
    expect(await redis.client.zCard("orders:pending")).toBe(1);

    // when
    for (let n = 0; n < 20; n += 1) await redis.client.del(`filler:${n}`);
    await expect.poll(async () => (await place()).statusCode).toBe(200);
    await functions.invokeJob("sweepOrders", {}, PLENTY);

    // then
    expect(await statusOf(pk)).toBe("completed");
  });
});
