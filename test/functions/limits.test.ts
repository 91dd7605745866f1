import { describe, expect, test } from "vitest";
import { useFunctions } from "../support/functions.ts";
import { getOrderEvent, placeOrderEvent } from "../support/http-event.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/order.ts";
import { storeOrder, storeOrders } from "../support/orders.ts";
import { forbid, useRedis } from "../support/redis.ts";

const MIB = 1024 * 1024;
const RECORD_BYTES = 2 * MIB;
const DATABASE_BYTES = 16 * MIB;
const PLENTY = () => 45_000;

const redis = useRedis();
const functions = useFunctions(redis, undefined, { recordBytes: RECORD_BYTES, databaseBytes: DATABASE_BYTES });
const log = useLogLines();

const place = () => functions.invokeHttp("createOrder", placeOrderEvent({ id: "tea", quantity: 2 }));
const statusOf = async (pk: string) => orderOf(await functions.invokeHttp("getOrder", getOrderEvent(pk))).status;
const metric = (name: string) => log.metrics.flatMap((line) => line[name] ?? []);

/** Adds to a stream past the gateway until it is above the limit of a record. */
async function fillStream(stream: string): Promise<void> {
  const field = "x".repeat(100_000);
  for (let bytes = 0; bytes <= RECORD_BYTES; bytes += field.length) {
    await redis.client.xAdd(stream, "*", { field });
  }
}

describe("while order_completed is full", () => {
  test("an order stays pending and readable, and is completed once there is space", async () => {
    // given
    const { pk } = orderOf(await place());
    await redis.client.zAdd("orders:pending", { value: pk, score: 0 });
    await fillStream("order_completed");

    // when
    await expect(functions.invokeJob("completeOrder", { pk })).rejects.toMatchObject({ code: "redis_failed" });
    await expect(functions.invokeJob("sweepOrders", {}, PLENTY)).rejects.toMatchObject({ code: "redis_failed" });

    // then
    expect(await statusOf(pk)).toBe("pending");
    expect(log.text).toContain("ERR max single record size exceeded");
    expect(metric("OverdueOrders")).toEqual([1]);

    // when
    await redis.client.xTrim("order_completed", "MAXLEN", 0);
    await functions.invokeJob("sweepOrders", {}, PLENTY);

    // then
    expect(await statusOf(pk)).toBe("completed");
  });
});

describe("while refund_order:dead is full", () => {
  test("refund requests wait, none is acknowledged, and they are settled once there is space", async () => {
    // given
    const pk = await storeOrder(redis.client, "completed");
    await redis.client.xAdd("refund_order", "*", { note: "no pk" });
    await redis.client.xAdd("refund_order", "*", { pk });
    await fillStream("refund_order:dead");

    // when
    await expect(functions.invokeJob("drainRefunds", {}, PLENTY)).rejects.toMatchObject({ code: "redis_failed" });

    // then
    expect(await statusOf(pk)).toBe("completed");
    expect(await redis.client.xPending("refund_order", "payment-group")).toMatchObject({ pending: 2 });
    expect(metric("RefundBacklog")).toEqual([2]);
    expect(metric("RefundDeadLetters")).toEqual([await redis.client.xLen("refund_order:dead")]);

    // when
    await redis.client.xTrim("refund_order:dead", "MAXLEN", 0);
    await makeReclaimable();
    await functions.invokeJob("drainRefunds", {}, PLENTY);

    // then
    expect(await statusOf(pk)).toBe("refunded");
    expect(await redis.client.xLen("refund_order:dead")).toBe(1);
  });
});

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
  expect(metric("OverdueOrders")).toEqual([1]);
  expect(await redis.client.zCard("orders:pending")).toBe(1);

  // when
  for (let n = 0; n < 20; n += 1) await redis.client.del(`filler:${n}`);
  await expect.poll(async () => (await place()).statusCode).toBe(200);
  await functions.invokeJob("sweepOrders", {}, PLENTY);

  // then
  expect(await statusOf(pk)).toBe("completed");
});

test("a consumer that may take no more entries settles those that it has, and then takes new ones", async () => {
  // given: what Upstash does at 1,000 pending entries (https://upstash.com/docs/redis/troubleshooting/stream_pel_limit)
  const [held = "", fresh = ""] = await storeOrders(redis.client, 2);
  await redis.client.xGroupCreate("refund_order", "payment-group", "0", { MKSTREAM: true });
  await redis.client.xAdd("refund_order", "*", { pk: held });
  await redis.client.xReadGroup("payment-group", "drain-refunds", { key: "refund_order", id: ">" });
  await redis.client.xAdd("refund_order", "*", { pk: fresh });
  await makeReclaimable();
  const allow = await forbid(redis.client, "xreadgroup");

  // when
  await expect(functions.invokeJob("drainRefunds", {}, PLENTY)).rejects.toMatchObject({ code: "redis_failed" });

  // then
  expect([await statusOf(held), await statusOf(fresh)]).toEqual(["refunded", "pending"]);

  // when
  await allow();
  await functions.invokeJob("drainRefunds", {}, PLENTY);

  // then
  expect(await statusOf(fresh)).toBe("refunded");
});

/** Makes what is pending as old as a poller's longest run. */
async function makeReclaimable(): Promise<void> {
  for (const { id } of await redis.client.xPendingRange("refund_order", "payment-group", "-", "+", 1_000)) {
    const claim = ["XCLAIM", "refund_order", "payment-group", "dead", "0", id, "IDLE", "60000", "JUSTID"];
    await redis.client.sendCommand(claim);
  }
}
