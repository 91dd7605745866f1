import { startUpstashGateway } from "upstash-rest-gateway";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { MAX_PIPELINE_MS } from "../../../lib/redis/commands.ts";
import { drainRefunds, REFUND_BATCH_SIZE } from "../../../lib/refunds/drain-refunds.ts";
import { newPk, requestRefund, requestRefunds, statusOf, storeOrders } from "../../support/orders.ts";
import { forbid } from "../../support/redis.ts";
import { addRequest, agePending, crashPoller, leftOver, pendingIds } from "../../support/refunds.ts";
import { countedRedis, useStore } from "../../support/store.ts";

const PLENTY = () => 50_000;
const NOTHING_LEFT = { entries: 0, pending: 0 };

const store = useStore();

afterEach(becomePrimary);

const drain = (redis = store.redis, timeLeft = PLENTY) => drainRefunds(redis, Date.now, timeLeft);

async function statuses(pks: readonly string[]): Promise<Set<string | null>> {
  return new Set(await Promise.all(pks.map((pk) => statusOf(store.client, pk))));
}

test.for([0, 1, 3])("a drain of %d full batches takes one request to Redis more than the batches", async (batches) => {
  // given: a drain that has brought both scripts into the cache
  await requestRefund(store.client, newPk());
  await drain();
  await requestRefunds(store.client, await storeOrders(store.client, batches * REFUND_BATCH_SIZE));
  const { redis, requests } = await countedRedis(store);

  await drain(redis);

  expect(requests()).toBe(batches + 1);
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
});

test("a batch that is not full is the last: what arrives meanwhile is for the next run", async () => {
  // given: a drain that has brought both scripts into the cache
  await requestRefunds(store.client, await storeOrders(store.client, 1));
  await drain();
  const { redis, requests } = await countedRedis(store, async () =>
    requestRefunds(store.client, await storeOrders(store.client, 3)),
  );
  let runs = 0;

  await drain(redis, () => (++runs < 20 ? 50_000 : 0));

  expect(requests()).toBe(2);
  expect(await leftOver(store.client)).toEqual({ entries: 3, pending: 0 });
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
  // given: a drain that has brought the script into the cache
  await drain();
  const pks = await storeOrders(store.client, REFUND_BATCH_SIZE + 1);
  await requestRefunds(store.client, pks);
  const { redis } = await countedRedis(store, (number) => (number > 1 ? becomeReplica() : undefined));

  await expect(drain(redis)).rejects.toMatchObject({ code: "redis_failed" });
  await becomePrimary();

  expect(await statuses(pks)).toEqual(new Set(["pending"]));
  expect(await leftOver(store.client)).toEqual({ entries: pks.length, pending: REFUND_BATCH_SIZE });

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

test("requests that someone acknowledged by hand are settled all the same", async () => {
  const pks = await storeOrders(store.client, REFUND_BATCH_SIZE + 20);
  const ids = await requestRefunds(store.client, pks);
  await crashPoller(store.client);
  await store.client.xAck("refund_order", "payment-group", ids);

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

describe("while dead letters cannot be kept", () => {
  const BAD = 1_500;
  const VALID = REFUND_BATCH_SIZE + 20;
  const RECORD_BYTES = 1_000_000;

  /** Adds bad requests of each kind, and valid ones behind them. Returns the pks of these. */
  async function addRequests(): Promise<string[]> {
    const bad = [
      ["order", "1"],
      ["pk", "17"],
      ["pk", newPk()],
    ];
    await Promise.all(Array.from({ length: BAD }, (_, n) => addRequest(store.client, bad[n % bad.length] ?? [])));
    const pks = await storeOrders(store.client, VALID);
    await requestRefunds(store.client, pks);
    return pks;
  }

  /** Upstash may refuse the write alone, or each script that has the key. Returns the address, and what makes room again. */
  const REFUSALS: Record<string, () => Promise<readonly [url: string, makeRoom: () => Promise<unknown>]>> = {
    "Redis refuses the write": async () => [store.url, await forbid(store.client, "xadd")],
    "a script with the full record is refused": async () => {
      const limits = { recordBytes: RECORD_BYTES };
      const gateway = await startUpstashGateway({ redisUrl: store.redisUrl, token: store.token, limits });
      onTestFinished(() => gateway.stop());
      await store.client.xAdd("refund_order:dead", "*", { note: "x".repeat(2 * RECORD_BYTES) });
      return [gateway.url, () => store.client.xTrim("refund_order:dead", "MAXLEN", 0)];
    },
  };

  test.for(Object.keys(REFUSALS))(
    "valid refunds go on, few requests are pending, and none is lost: %s",
    async (how) => {
      // given
      const pks = await addRequests();
      const [url, makeRoom] = (await REFUSALS[how]?.()) ?? ["", async () => {}];
      let mostPending = 0;
      const { redis, requests } = await countedRedis({ url, token: store.token }, async () => {
        const pending = await pendingIds(store.client).catch(() => []);
        mostPending = Math.max(mostPending, pending.length);
      });

      // when
      await drain(redis);

      // then
      expect(await statuses(pks)).toEqual(new Set(["refunded"]));
      expect(await leftOver(store.client)).toEqual({ entries: BAD, pending: 0 });
      expect(mostPending).toBeLessThanOrEqual(3 * REFUND_BATCH_SIZE);

      // when a run finds nothing else
      const before = requests();
      await store.client.configResetStat();
      await drain(redis);

      // then it tries a few of them, and pays for no more
      expect(requests() - before).toBeLessThanOrEqual(4);
      expect(await commandsRun()).toBeLessThan(150);
      expect(await leftOver(store.client)).toEqual({ entries: BAD, pending: 0 });

      // when
      await makeRoom();
      await drain(redis);

      // then
      expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
      const letters = (await store.client.xRange("refund_order:dead", "-", "+")) ?? [];
      expect(new Set(letters.map(({ message }) => message.dead_id)).size).toBe(BAD);
      expect(letters).toHaveLength(BAD);
    },
  );

  async function commandsRun(): Promise<number> {
    const stats = await store.client.info("commandstats");
    return [...stats.matchAll(/calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
  }
});

test("while Redis refuses refunds few requests are pending, run after run, and all are settled afterwards", async () => {
  const pks = await storeOrders(store.client, 1_500);
  await requestRefunds(store.client, pks);
  const allow = await forbid(store.client, "hset");

  for (let run = 1; run <= 5; run += 1) {
    await drain();
    expect((await pendingIds(store.client)).length).toBeLessThanOrEqual(4 * REFUND_BATCH_SIZE);
    await agePending(store.client);
  }
  await allow();
  await drain();

  expect(await statuses(pks)).toEqual(new Set(["refunded"]));
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
});

test("a run in which Redis refuses a refund does not look for requests that no run holds", async () => {
  // given: a drain that has brought both scripts into the cache
  await requestRefunds(store.client, await storeOrders(store.client, 1));
  await drain();
  await requestRefunds(store.client, await storeOrders(store.client, 1));
  await forbid(store.client, "hset");
  const { redis, requests } = await countedRedis(store);

  await drain(redis);

  expect(requests()).toBe(2);
});

test("a server that became a replica for a moment fails no request", async () => {
  const pks = await storeOrders(store.client, 3);
  await requestRefunds(store.client, [...pks, newPk()]);
  const { redis } = await countedRedis(store, (number) => (number % 2 === 0 ? becomeReplica() : becomePrimary()));

  await drain(redis);

  expect(await statuses(pks)).toEqual(new Set(["refunded"]));
  expect(await store.client.xLen("refund_order:dead")).toBe(1);
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
});

/** Has Redis refuse all writes, as a server that was the primary until a fail-over, until it becomes the primary again. */
async function becomeReplica(): Promise<void> {
  await store.client.sendCommand(["REPLICAOF", "127.0.0.1", "1"]);
}

async function becomePrimary(): Promise<void> {
  await store.client.sendCommand(["REPLICAOF", "NO", "ONE"]);
}
