import { expect, test } from "vitest";
import { completeOrder } from "../../lib/orders/complete-orders.ts";
import { drainRefunds } from "../../lib/refunds/drain-refunds.ts";
import { REFUND_BATCH_SIZE } from "../../lib/refunds/refund-requests.ts";
import {
  announcements,
  newPk,
  requestRefund,
  requestRefunds,
  STREAM_MAX_LENGTH,
  statusOf,
  storeOrder,
  storeOrders,
} from "../support/orders.ts";
import { countedRedis } from "../support/proxy.ts";
import { leftOver, pendingIds } from "../support/refunds.ts";
import { useStore } from "../support/store.ts";

const PLENTY = () => 50_000;
const NOTHING_LEFT = { entries: 0, pending: 0 };

const store = useStore();

const drain = (redis = store.redis, timeLeft = PLENTY) => drainRefunds(redis, Date.now, timeLeft);

async function statuses(pks: readonly string[]): Promise<Set<string | null>> {
  return new Set(await Promise.all(pks.map((pk) => statusOf(store.client, pk))));
}

test("two drains at once settle each request once", async () => {
  const pks = await storeOrders(store.client, 3 * REFUND_BATCH_SIZE);
  await requestRefunds(store.client, [...pks, ...Array.from({ length: 50 }, newPk)]);

  await Promise.all([drain(), drain()]);

  expect(await statuses(pks)).toEqual(new Set(["refunded"]));
  expect(await store.client.xLen("refund_order:dead")).toBe(50);
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
});

test("orders refunded while they complete end refunded, announced at most once, and owe nothing", async () => {
  const pks = await storeOrders(store.client, 30);
  await requestRefunds(store.client, pks);

  const completions = pks
    .flatMap((pk) => [pk, pk])
    .map((pk) => completeOrder(store.redis, { pk }, Date.now(), STREAM_MAX_LENGTH));
  await Promise.all([drain(), ...completions, drain()]);

  expect(await statuses(pks)).toEqual(new Set(["refunded"]));
  const announced = await announcements(store.client);
  for (const pk of pks) {
    const completedAt = await store.client.hGet(`order:${pk}`, "completed_at");
    expect(announced[pk] ?? 0).toBe(completedAt === null ? 0 : 1);
  }
  expect(await store.client.zCard("orders:pending")).toBe(0);
});

test("an order that is refunded before it is due is never announced", async () => {
  const pk = await storeOrder(store.client);
  await requestRefund(store.client, pk);
  await drain();

  await completeOrder(store.redis, { pk }, Date.now(), STREAM_MAX_LENGTH);

  expect(await statusOf(store.client, pk)).toBe("refunded");
  expect(await announcements(store.client)).toEqual({});
});

test("a drain that hears no reply leaves no more pending than Upstash allows, two such pollers included", async () => {
  // given: a drain that has brought the script into the cache
  await drain();
  await requestRefunds(store.client, await storeOrders(store.client, 20 * REFUND_BATCH_SIZE));
  const { redis } = await countedRedis(store, () => true);

  const pollers = [0, 1].map(() => drainRefunds(redis, Date.now, () => 50_000));

  expect((await Promise.allSettled(pollers)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await pendingIds(store.client)).not.toHaveLength(0);
  expect((await pendingIds(store.client)).length).toBeLessThan(1_000);
});
