import { expect, onTestFinished, test } from "vitest";
import { getOrderEvent, placeOrderEvent, sampleEvent, useFunctions } from "../support/functions.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf, storeOrders } from "../support/orders.ts";
import { forbid, useRedis } from "../support/redis.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

const MANY = 250;

async function place(): Promise<string> {
  const reply = await functions.invokeHttp("createOrder", placeOrderEvent({ id: "tea", quantity: 2 }));
  return orderOf(reply).pk;
}
async function statusOf(pk: string): Promise<string> {
  return orderOf(await functions.invokeHttp("getOrder", getOrderEvent(pk))).status;
}
test("drainRefunds refunds orders and puts aside what cannot be refunded", async () => {
  // given
  const [pending, completed] = [await place(), await place()];
  await functions.invokeJob("completeOrder", { pk: completed });
  await redis.client.xAdd("refund_order", "*", { pk: pending, product_id: "tea" });
  await redis.client.xAdd("refund_order", "*", { note: "no pk" });
  await redis.client.xAdd("refund_order", "*", { pk: completed });
  await redis.client.xAdd("refund_order", "*", { pk: completed });

  // when
  const before = Date.now();
  await functions.invokeJob("drainRefunds", await sampleEvent("drainRefunds"));

  // then
  expect(await statusOf(pending)).toBe("refunded");
  expect(Date.parse((await redis.client.hGet(`order:${pending}`, "refunded_at")) ?? "")).toBeGreaterThanOrEqual(before);
  expect(await statusOf(completed)).toBe("refunded");
  expect(await redis.client.xLen("refund_order")).toBe(0);
  const dead = (await redis.client.xRange("refund_order:dead", "-", "+")) ?? [];
  expect(dead.map(({ message }) => ({ ...message }))).toEqual([
    { dead_reason: "missing_pk", dead_id: expect.any(String), dead_at: expect.any(String), note: "no pk" },
  ]);
  expect(log.metrics).toContainEqual(expect.objectContaining({ RefundsApplied: 2, RefundsDeadLettered: 1 }));
  expect(log.logged.slice(-2)).toMatchObject([
    { level: "INFO", message: "Refund requests settled" },
    { level: "WARN", message: "Refund requests were refused: see refund_order:dead" },
  ]);
});

test("drainRefunds with nothing to do makes the group, writes nothing else and no log line", async () => {
  await functions.invokeJob("drainRefunds", await sampleEvent("drainRefunds"));

  expect(await redis.client.keys("*")).toEqual(["refund_order"]);
  expect(await redis.client.xInfoGroups("refund_order")).toMatchObject([{ name: "payment-group" }]);
  expect(log.logged).toEqual([]);
  expect(log.metrics).toEqual([expect.objectContaining({ RefundBacklog: 0, RefundDeadLetters: 0 })]);
});

test("sweepOrders begins no batch with little time left, and says so", async () => {
  // given
  const pk = await place();
  await redis.client.zAdd("orders:pending", { value: pk, score: Date.now() - 61_000 });

  // when
  await functions.invokeJob("sweepOrders", {}, () => 1_000);

  // then
  expect(await statusOf(pk)).toBe("pending");
  expect(log.logged.at(-1)).toMatchObject({
    level: "WARN",
    message: "The sweep left overdue orders. The next one continues",
  });
});

test("sweepOrders passes over each order that fails, says why, and completes them when it can", async () => {
  // given
  const pks = await storeOrders(redis.client, MANY);
  const allow = await forbid(redis.client, "hset");

  // when
  await functions.invokeJob("sweepOrders", {});

  // then
  expect(log.metrics).toContainEqual(expect.objectContaining({ OverdueOrders: MANY, CompletionFailures: [200, 50] }));
  const failures = log.logged.filter(({ message }) => message === "Orders could not be completed: they stay pending");
  expect(failures.flatMap((line) => line.pks).toSorted()).toEqual(pks.toSorted());
  expect(failures).toContainEqual(
    expect.objectContaining({ errors: [expect.stringContaining("can't run this command")] }),
  );
  expect(await redis.client.xLen("order_completed")).toBe(0);

  // when
  await allow();
  await functions.invokeJob("sweepOrders", {});

  // then
  expect(await redis.client.xLen("order_completed")).toBe(MANY);
  expect(log.metrics).toContainEqual(expect.objectContaining({ OrdersCompletedBySweep: 200 }));
});

test("sweepOrders makes order_completed and reports how far its slowest consumer is behind", async () => {
  await functions.invokeJob("sweepOrders", {});
  await redis.client.xGroupCreate("order_completed", "inventory", "$");
  await storeOrders(redis.client, 3);
  await functions.invokeJob("sweepOrders", {});
  await functions.invokeJob("sweepOrders", {});

  expect(log.metrics.flatMap(({ ConsumerLag }) => ConsumerLag)).toEqual([0, 0, 3]);
});

test("drainRefunds that fails still reports the backlog and the dead letters", async () => {
  await redis.client.xAdd("refund_order:dead", "*", { pk: "1" });
  await redis.client.xAdd("refund_order", "*", { pk: "1" });
  await forbid(redis.client, "xpending");

  await expect(functions.invokeJob("drainRefunds", {})).rejects.toMatchObject({ code: "redis_failed" });

  expect(log.metrics).toContainEqual(expect.objectContaining({ RefundBacklog: 1, RefundDeadLetters: 1 }));
});

test("drainRefunds reports a batch that was settled before it throws that the next read failed", async () => {
  // given
  const [before, pk] = [await place(), await place()];
  await redis.client.xAdd("refund_order", "*", { pk: before });
  await functions.invokeJob("drainRefunds", {});
  await redis.client.xAdd("refund_order", "*", { pk });
  functions.upstash.answerWith(async (call) => {
    const reply = await call.forward();
    // The read of the first request becomes the last one that Redis allows.
    await redis.client.sendCommand(["ACL", "SETUSER", "default", "-xreadgroup"]);
    await call.answer(reply);
  });
  onTestFinished(async () => {
    await redis.client.sendCommand(["ACL", "SETUSER", "default", "+xreadgroup"]);
  });

  // when
  await expect(functions.invokeJob("drainRefunds", {}, () => 45_000)).rejects.toMatchObject({ code: "redis_failed" });

  // then
  expect(await statusOf(pk)).toBe("refunded");
  expect(log.metrics).toContainEqual(expect.objectContaining({ RefundsApplied: 1, RefundBacklog: 0 }));
});

test("drainRefunds counts requests that were trimmed while they were pending", async () => {
  await redis.client.xGroupCreate("refund_order", "payment-group", "0", { MKSTREAM: true });
  const id = await redis.client.xAdd("refund_order", "*", { pk: "1" });
  await redis.client.xReadGroup("payment-group", "dead", { key: "refund_order", id: ">" });
  await redis.client.sendCommand(["XCLAIM", "refund_order", "payment-group", "dead", "0", id, "IDLE", "61000"]);
  await redis.client.xTrim("refund_order", "MAXLEN", 0);

  await functions.invokeJob("drainRefunds", {});

  expect(log.metrics).toContainEqual(expect.objectContaining({ RefundsTrimmed: 1 }));
  expect(log.logged).toMatchObject([{ level: "ERROR", count: 1, first: [id] }]);
});

test("drainRefunds names a request that it could not settle, and why", async () => {
  const pk = await place();
  const id = await redis.client.xAdd("refund_order", "*", { pk });
  await forbid(redis.client, "hset");

  await functions.invokeJob("drainRefunds", {});

  expect(log.logged.at(-1)).toMatchObject({ level: "ERROR", requests: [{ id, pk }], errors: [expect.any(String)] });
  expect(log.metrics).toContainEqual(expect.objectContaining({ RefundFailures: 1 }));
});
