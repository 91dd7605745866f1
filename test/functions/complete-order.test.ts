import { expect, test } from "vitest";
import { placeOrderEvent } from "../../lab/lambda-host/events.ts";
import { useFunctions } from "../support/functions.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/orders.ts";
import { useRedis } from "../support/redis.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

const PK = "01JD7Y4Q2X8WZ5V3T1R9P7N6MB";

async function place(): Promise<string> {
  const reply = await functions.invokeHttp("createOrder", placeOrderEvent({ id: "tea", quantity: 2 }));
  return orderOf(reply).pk;
}
const complete = (pk: string) => functions.invokeJob("completeOrder", { pk });

test("an order is completed and announced once: a second delivery is a logged success", async () => {
  const pk = await place();

  await complete(pk);
  expect(log.logged.at(-1)).toMatchObject({ level: "INFO", message: "Order completed", pk });
  expect(log.metrics.at(-1)).toMatchObject({ OrdersCompleted: 1, CompletionLag: 0 });
  const order = { ...(await redis.client.hGetAll(`order:${pk}`)) };
  expect(order).toMatchObject({ pk, status: "completed", completed_at: expect.stringMatching(/^\d{4}-.+\.\d{3}Z$/) });

  await complete(pk);
  expect(log.logged.at(-1)).toMatchObject({ level: "INFO", message: "Order was completed before", pk });
  expect(log.metrics.filter((line) => "OrdersCompleted" in line)).toHaveLength(1);
  const entries = (await redis.client.xRange("order_completed", "-", "+")) ?? [];
  expect(entries.map(({ message }) => ({ ...message }))).toEqual([order]);
});

test("a refunded order and an unknown one are logged successes", async () => {
  const pk = await place();
  await redis.client.xAdd("refund_order", "*", { pk });
  await functions.invokeJob("drainRefunds", {});

  await complete(pk);
  expect(log.logged.at(-1)).toMatchObject({ level: "INFO", message: "Order was refunded before it was due", pk });

  await complete(PK);
  expect(log.logged.at(-1)).toMatchObject({ level: "INFO", message: "There is no such order to complete", pk: PK });
  expect(await redis.client.exists("order_completed")).toBe(0);
});

test.for<[string, unknown]>([
  ["no pk but another field", { order: PK }],
  ["a pk in lower case", { pk: PK.toLowerCase() }],
  ["null", null],
])("an event that is %s is thrown back, so that it ends in the dead-letter queue", async ([, event]) => {
  await expect(functions.invokeJob("completeOrder", event)).rejects.toThrow();

  expect(functions.upstash.requests).toEqual([]);
  expect(log.logged).toEqual([expect.objectContaining({ level: "ERROR", message: "Invocation failed" })]);
});

test("an error that the script raises is thrown back and leaves the order owed", async () => {
  const pk = await place();
  await redis.client.set("order_completed", "no stream");

  await expect(complete(pk)).rejects.toMatchObject({ code: "redis_failed" });

  expect(await redis.client.zRange("orders:pending", 0, -1)).toEqual([pk]);
  expect(log.logged.at(-1)).toMatchObject({
    level: "ERROR",
    error: { cause: { message: expect.stringMatching(/WRONGTYPE/) } },
  });
});
