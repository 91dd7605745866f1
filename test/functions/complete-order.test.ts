import { expect, test } from "vitest";
import { placeOrderEvent, useFunctions } from "../support/functions.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/orders.ts";
import { useRedis } from "../support/redis.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

async function place(): Promise<string> {
  const reply = await functions.invokeHttp("createOrder", placeOrderEvent({ id: "tea", quantity: 2 }));
  return orderOf(reply).pk;
}
const complete = (pk: string) => functions.invokeJob("completeOrder", { pk });
const announced = async () => (await redis.client.xRange("order_completed", "-", "+")) ?? [];

test("an order is completed, announced with all its fields, and owed no more", async () => {
  // given
  const pk = await place();

  // when
  await complete(pk);

  // then
  const order = { ...(await redis.client.hGetAll(`order:${pk}`)) };
  expect(order).toMatchObject({ pk, status: "completed", completed_at: expect.stringMatching(/^\d{4}-.+\.\d{3}Z$/) });
  expect((await announced()).map(({ message }) => ({ ...message }))).toEqual([order]);
  expect(await redis.client.zCard("orders:pending")).toBe(0);
  expect(log.logged.at(-1)).toMatchObject({ level: "INFO", message: "Order completed", pk });
  expect(log.metrics.at(-1)).toMatchObject({ OrdersCompleted: 1, CompletionLag: 0 });
});

test("a second delivery is a logged success that changes and announces nothing", async () => {
  const pk = await place();
  await complete(pk);
  const order = await redis.client.hGetAll(`order:${pk}`);

  await complete(pk);

  expect(await redis.client.hGetAll(`order:${pk}`)).toEqual(order);
  expect(await announced()).toHaveLength(1);
  expect(log.logged.at(-1)).toMatchObject({ level: "INFO", message: "Order was completed before", pk });
  expect(log.metrics.filter((line) => "OrdersCompleted" in line)).toHaveLength(1);
});

test("a refunded order is a logged success and stays refunded", async () => {
  const pk = await place();
  await redis.client.xAdd("refund_order", "*", { pk });
  await functions.invokeJob("drainRefunds", {});

  await complete(pk);

  expect(await redis.client.hGet(`order:${pk}`, "status")).toBe("refunded");
  expect(await announced()).toEqual([]);
  expect(log.logged.at(-1)).toMatchObject({ level: "INFO", message: "Order was refunded before it was due", pk });
});

test("an unknown order is a logged success", async () => {
  const pk = "01JD7Y4Q2X8WZ5V3T1R9P7N6MB";

  await complete(pk);

  expect(await redis.client.keys("*")).toEqual([]);
  expect(log.logged).toEqual([
    expect.objectContaining({ level: "INFO", message: "There is no such order to complete", pk }),
  ]);
});

test.for<[string, unknown]>([
  ["no pk but another field", { order: "01JD7Y4Q2X8WZ5V3T1R9P7N6MB" }],
  ["a pk in lower case", { pk: "01jd7y4q2x8wz5v3t1r9p7n6mb" }],
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
