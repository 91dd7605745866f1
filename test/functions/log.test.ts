import { expect, test, vi } from "vitest";
import { z } from "zod";
import { bundle } from "../../lab/lambda-host/build.ts";
import { lambdaContext } from "../../lab/lambda-host/context.ts";
import { getOrderEvent, placeOrderEvent } from "../../lab/lambda-host/events.ts";
import { useFunctions } from "../support/functions.ts";
import { type LogLine, useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/orders.ts";
import { useRedis } from "../support/redis.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

/** What docs/operations.md promises of every line that is no metric. */
const FixedFields = z.looseObject({
  level: z.enum(["INFO", "WARN", "ERROR"]),
  message: z.string(),
  timestamp: z.iso.datetime(),
  service: z.literal("orders"),
  function_name: z.string(),
  function_request_id: z.string(),
  cold_start: z.boolean(),
});

const PRODUCT = "a-product-that-no-line-may-name";
const KEY = "an-idempotency-key-that-no-line-may-name";

async function place(headers: Record<string, string> = {}): Promise<string> {
  return orderOf(await functions.invokeHttp("createOrder", placeOrderEvent({ id: PRODUCT, quantity: 2 }, headers))).pk;
}

test("every line is JSON with the fixed fields, and none holds a token, a Redis command or what a client sent", async () => {
  // given: an order's whole life, then everything that goes wrong: bad input, Redis and Scheduler failing in their ways
  const pk = await place({ "idempotency-key": KEY });
  await place({ "idempotency-key": KEY });
  await functions.invokeJob("completeOrder", { pk });
  await functions.invokeJob("completeOrder", { pk });
  await redis.client.xAdd("refund_order", "*", { pk, note: PRODUCT });
  await redis.client.xAdd("refund_order", "*", { note: PRODUCT });
  await functions.invokeJob("drainRefunds", {});
  await redis.client.zAdd("orders:pending", { value: await place(), score: 1 });
  await functions.invokeJob("sweepOrders", {});
  await functions.invokeHttp("createOrder", placeOrderEvent({ id: PRODUCT, quantity: 0 }));
  functions.scheduler.answerWith((call) => call.answer({ status: 500, content: "" }));
  await place();
  functions.upstash.answerWith((call) => call.answer({ status: 500, content: '{"error":"ERR out of order"}' }));
  await functions.invokeHttp("createOrder", placeOrderEvent({ id: PRODUCT, quantity: 1 }));
  functions.upstash.answerWith((call) => call.answer({ status: 200, content: `{"result": ["${PRODUCT}` }));
  await functions.invokeHttp("getOrder", getOrderEvent(pk));
  await expect(functions.invokeJob("completeOrder", { pk })).rejects.toThrow();
  await expect(functions.invokeJob("drainRefunds", {})).rejects.toThrow();

  const levels = new Set(log.logged.map((line) => FixedFields.parse(line).level));
  expect(levels).toEqual(new Set(["INFO", "WARN", "ERROR"]));
  for (const secret of [PRODUCT, KEY, process.env.UPSTASH_REDIS_REST_TOKEN ?? "", "Bearer"]) {
    expect(log.text).not.toContain(secret);
  }
  expect(log.text).not.toMatch(/EVALSHA|HGETALL|XREADGROUP|redis\.call/i);

  // An order's pk is in a line of each step of its way.
  const mentions = (line: LogLine) => JSON.stringify(line).includes(pk);
  expect(log.logged.filter(mentions).map(({ message }) => message)).toEqual([
    "Order placed",
    "Order was placed before with this Idempotency-Key",
    "Order completed",
    "Order was completed before",
    "Refund requests settled",
  ]);
});

type Handler = (event: unknown, context: unknown) => Promise<unknown>;

test("the bundle of createOrder without credentials in its environment says where it looks for them", async () => {
  const Module = z.object({ handler: z.custom<Handler>((value) => typeof value === "function") });
  vi.stubEnv("AWS_ACCESS_KEY_ID", undefined);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", undefined);
  using built = await bundle("functions/create-order.ts");
  const { handler } = Module.parse(await import(built.path));

  const reply = await handler(placeOrderEvent({ id: "tea-green", quantity: 2 }), lambdaContext("createOrder"));

  expect(reply).toMatchObject({ statusCode: 200 });
  expect(log.text).toContain("is not in this bundle: credentials come from the environment");
});
