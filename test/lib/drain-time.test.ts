import { expect, test } from "vitest";
import { MAX_PIPELINE_MS } from "../../lib/redis/commands.ts";
import { drainRefunds } from "../../lib/refunds/drain-refunds.ts";
import { REFUND_BATCH_SIZE } from "../../lib/refunds/refund-requests.ts";
import { requestRefunds, statusOf, storeOrders } from "../support/orders.ts";
import { leftOver } from "../support/refunds.ts";
import { useStore } from "../support/store.ts";

const store = useStore();

const drain = (timeLeft: () => number) => drainRefunds(store.redis, Date.now, timeLeft);

async function statuses(pks: readonly string[]): Promise<Set<string | null>> {
  return new Set(await Promise.all(pks.map((pk) => statusOf(store.client, pk))));
}

test("no batch is read while one that takes its longest could not be settled any more", async () => {
  const orders = await storeOrders(store.client, REFUND_BATCH_SIZE + 1);
  await requestRefunds(store.client, orders);

  await drain(() => 2 * MAX_PIPELINE_MS);

  expect(await store.client.xLen("refund_order")).toBe(1);
  expect(await store.client.xPending("refund_order", "payment-group")).toMatchObject({ pending: 0 });
});

test("a drain that is short of time settles the batch it read and leaves the rest unread", async () => {
  const pks = await storeOrders(store.client, 3 * REFUND_BATCH_SIZE);
  await requestRefunds(store.client, pks);
  let calls = 0;

  await drain(() => (++calls === 1 ? 50_000 : 4_000));

  expect(await statuses(pks.slice(0, 2 * REFUND_BATCH_SIZE))).toEqual(new Set(["refunded"]));
  expect(await statuses(pks.slice(2 * REFUND_BATCH_SIZE))).toEqual(new Set(["pending"]));
  expect(await leftOver(store.client)).toEqual({ entries: REFUND_BATCH_SIZE, pending: 0 });
});
