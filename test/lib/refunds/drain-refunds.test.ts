import { expect, test } from "vitest";
import { MAX_PIPELINE_MS } from "../../../lib/redis/commands.ts";
import { drainRefunds, REFUND_BATCH_SIZE } from "../../../lib/refunds/drain-refunds.ts";
import { newPk, requestRefund, requestRefunds, statusOf, storeOrders } from "../../support/orders.ts";
import { forbid } from "../../support/redis.ts";
import { addRequest, crashPoller, leftOver, pendingIds } from "../../support/refunds.ts";
import { countedRedis, useStore } from "../../support/store.ts";

const PLENTY = () => 50_000;
const NOTHING_LEFT = { entries: 0, pending: 0 };

const store = useStore();

const drain = (redis = store.redis, timeLeft = PLENTY) => drainRefunds(redis, Date.now, timeLeft);

async function statuses(pks: readonly string[]): Promise<Set<string | null>> {
  return new Set(await Promise.all(pks.map((pk) => statusOf(store.client, pk))));
}

test.for([0, 1, 3])("a drain of %d batches takes one request to Redis more than the batches", async (batches) => {
  // given: a drain that has brought both scripts into the cache
  await requestRefund(store.client, newPk());
  await drain();
  await requestRefunds(store.client, await storeOrders(store.client, batches * REFUND_BATCH_SIZE));
  const { redis, requests } = await countedRedis(store);

  await drain(redis);

  expect(requests()).toBe(batches + 1);
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
});

test("every request is settled, whether left pending by a crashed poller or new", async () => {
  const left = await storeOrders(store.client, REFUND_BATCH_SIZE + 30);
  await requestRefunds(store.client, left);
  await crashPoller(store.client);
  const fresh = await storeOrders(store.client, 2 * REFUND_BATCH_SIZE + 1);
  await requestRefunds(store.client, fresh);

  await drain();

  expect(await statuses([...left, ...fresh])).toEqual(new Set(["refunded"]));
  expect(await store.client.zCard("orders:pending")).toBe(0);
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
});

test("bad requests become dead letters and never hold up the good ones", async () => {
  const good = await storeOrders(store.client, 2 * REFUND_BATCH_SIZE);
  const wrongType = newPk();
  await store.client.set(`order:${wrongType}`, "other");
  await addRequest(store.client, ["order", "1"]);
  for (const pk of good.slice(0, REFUND_BATCH_SIZE)) {
    await requestRefund(store.client, pk);
    await addRequest(store.client, ["pk", Buffer.alloc(26, 0xff)]);
  }
  await addRequest(store.client, ["pk", "x".repeat(1_000_000)]);
  const manyFields = Array.from({ length: 10_000 }, () => "f");
  await addRequest(store.client, manyFields);
  await requestRefunds(store.client, [wrongType, newPk(), "", "../../etc/passwd", ...good.slice(REFUND_BATCH_SIZE)]);

  await drain();

  expect(await statuses(good)).toEqual(new Set(["refunded"]));
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
  expect(await store.client.xLen("refund_order:dead")).toBe(REFUND_BATCH_SIZE + 7);
});

test("what a failed drain read stays pending, and a later one settles it", async () => {
  const pks = await storeOrders(store.client, REFUND_BATCH_SIZE + 1);
  await requestRefunds(store.client, pks);
  const allow = await forbid(store.client, "xpending");

  await expect(drain()).rejects.toMatchObject({ code: "redis_failed" });
  await allow();

  expect(await statuses(pks)).toEqual(new Set(["pending"]));
  expect(await leftOver(store.client)).toEqual({ entries: pks.length, pending: pks.length });

  await crashPoller(store.client);
  await drain();

  expect(await statuses(pks)).toEqual(new Set(["refunded"]));
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
});

test.for([2, 3])("a group that is gone before request %d has every request settled all the same", async (at) => {
  const pks = await storeOrders(store.client, 2 * REFUND_BATCH_SIZE + 1);
  await requestRefunds(store.client, pks);
  const { redis } = await countedRedis(store, (number) =>
    number === at ? store.client.xGroupDestroy("refund_order", "payment-group") : undefined,
  );

  await drain(redis);

  expect(await statuses(pks)).toEqual(new Set(["refunded"]));
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
});

test("requests that an older version acknowledged without an effect are settled once the group reads all again", async () => {
  const pks = await storeOrders(store.client, 2);
  const ids = await requestRefunds(store.client, pks);
  await crashPoller(store.client);
  await store.client.xAck("refund_order", "payment-group", ids);
  await drain();
  expect(await statuses(pks)).toEqual(new Set(["pending"]));

  // As docs/operations.md says under "Refund requests that were stranded".
  await store.client.sendCommand(["XGROUP", "SETID", "refund_order", "payment-group", "0"]);
  await drain();

  expect(await statuses(pks)).toEqual(new Set(["refunded"]));
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
});

test("two drains at once settle each request once", async () => {
  const pks = await storeOrders(store.client, 3 * REFUND_BATCH_SIZE);
  await requestRefunds(store.client, [...pks, ...Array.from({ length: 50 }, newPk)]);

  await Promise.all([drain(), drain()]);

  expect(await statuses(pks)).toEqual(new Set(["refunded"]));
  expect(await store.client.xLen("refund_order:dead")).toBe(50);
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
});

test("two drains that hear no reply leave no more pending than Upstash allows a consumer: 1,000 entries", async () => {
  // given: a drain that has brought the script into the cache
  await drain();
  await requestRefunds(store.client, await storeOrders(store.client, 20 * REFUND_BATCH_SIZE));
  const { redis } = await countedRedis(store, () => true);

  const pollers = [drain(redis), drain(redis)];

  expect((await Promise.allSettled(pollers)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await pendingIds(store.client)).not.toHaveLength(0);
  expect((await pendingIds(store.client)).length).toBeLessThan(1_000);
});

test("no batch is read while one that takes its longest could not be settled any more", async () => {
  const pks = await storeOrders(store.client, 3 * REFUND_BATCH_SIZE);
  await requestRefunds(store.client, pks);
  let calls = 0;

  await drain(store.redis, () => (++calls === 1 ? 50_000 : 2 * MAX_PIPELINE_MS));

  expect(await statuses(pks.slice(0, 2 * REFUND_BATCH_SIZE))).toEqual(new Set(["refunded"]));
  expect(await statuses(pks.slice(2 * REFUND_BATCH_SIZE))).toEqual(new Set(["pending"]));
  expect(await leftOver(store.client)).toEqual({ entries: REFUND_BATCH_SIZE, pending: 0 });
});
