import { describe, expect, onTestFinished, test } from "vitest";
import { completeOrder } from "../../../lib/orders/complete-orders.ts";
import { SWEEP_GRACE_MS } from "../../../lib/orders/completion-delay.ts";
import { type Sweep, sweepOrders } from "../../../lib/orders/sweep-orders.ts";
import { type Answer, startHttpFront } from "../../support/http-front.ts";
import {
  announcements,
  DUE,
  newPk,
  STREAM_MAX_LENGTH,
  statusOf,
  storeOrder,
  storeOrders,
} from "../../support/orders.ts";
import { forbid } from "../../support/redis.ts";
import { countedRedis, redisAt, useStore } from "../../support/store.ts";

const BATCH_SIZE = 200;
const OVERDUE = DUE + SWEEP_GRACE_MS;

const store = useStore();

/** Not retried, so that no test waits for retries. */
const refused: Answer = (call) => call.answer({ status: 401, content: '{"error": "Unauthorized"}' });

const stillPending = () => store.client.zCard("orders:pending");

describe("completion: scheduler", () => {
  const sweep = ({ redis = store.redis, clock = () => OVERDUE }: Partial<Sweep> = {}) =>
    sweepOrders({ redis, completion: "scheduler", streamMaxLength: STREAM_MAX_LENGTH, clock });

  test.for([0, 1, 3])("a sweep of %d batches takes two requests to Redis more than the batches", async (batches) => {
    await storeOrder(store.client);
    await sweep();
    await storeOrders(store.client, batches * BATCH_SIZE);
    const { redis, requests } = await countedRedis(store);

    await sweep({ redis });

    expect(requests()).toBe(batches + 2);
    expect(await stillPending()).toBe(0);
  });

  test("an order is swept once it is overdue by the grace, not before", async () => {
    const pk = await storeOrder(store.client);

    await sweep({ clock: () => OVERDUE - 1 });
    expect(await statusOf(store.client, pk)).toBe("pending");

    await sweep();
    expect(await statusOf(store.client, pk)).toBe("completed");
  });

  test("what cannot be completed is dropped from the index and never holds up the rest, whatever another writer made", async () => {
    const good = [
      ...(await storeOrders(store.client, 2 * BATCH_SIZE)),
      await storeOrder(store.client, "pending", "no ULID"),
    ];
    const manyFields = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`f${n}`, n]));
    await store.client.hSet(`order:${good[1]}`, manyFields);
    const wrongType = newPk();
    await store.client.set(`order:${wrongType}`, "other");
    const bad = [wrongType, newPk(), "", "no order", "\u{1F600}"].map((value) => ({ value, score: 0 }));
    await store.client.zAdd("orders:pending", bad);

    await sweep();

    expect(await stillPending()).toBe(0);
    expect(await announcements(store.client)).toEqual(Object.fromEntries(good.map((pk) => [pk, 1])));
    expect(await store.client.get(`order:${wrongType}`)).toBe("other");
  });

  test("a pk that no reply can carry, of bytes that are no text, does not keep the sweep busy", async () => {
    const pk = await storeOrder(store.client);
    await store.client.sendCommand(["ZADD", "orders:pending", "0", Buffer.from([0xff, 0xfe])]);
    const { redis, requests } = await countedRedis(store);

    await sweep({ redis });

    expect(await statusOf(store.client, pk)).toBe("completed");
    expect(requests()).toBeLessThan(10);
  });

  test("a sweep that is short of time stops with its batch completed, the oldest orders, and the next goes on", async () => {
    await storeOrders(store.client, 2 * BATCH_SIZE);
    const oldest = await storeOrder(store.client);
    await store.client.zAdd("orders:pending", { value: oldest, score: DUE - 1 });
    let now = OVERDUE;
    const { redis } = await countedRedis(store, (number) => {
      // Requests: a list, then the first batch.
      if (number === 2) now += 65_000;
    });

    await sweep({ redis, clock: () => now });
    expect(await stillPending()).toBe(BATCH_SIZE + 1);
    expect(await statusOf(store.client, oldest)).toBe("completed");

    await sweep();
    expect(await stillPending()).toBe(0);
  });

  test("a script cache that is emptied before every request costs nothing but requests", async () => {
    const pks = await storeOrders(store.client, 2 * BATCH_SIZE + 1);
    const { redis } = await countedRedis(store, () => store.client.scriptFlush());

    await sweep({ redis });

    expect(await stillPending()).toBe(0);
    expect(await announcements(store.client)).toEqual(Object.fromEntries(pks.map((pk) => [pk, 1])));
  });
});

describe("completion: sweep", () => {
  /** One run on a clock that moves only while the sweep waits: `at` says what happens when. */
  async function run(at: Readonly<Record<number, () => unknown>> = {}, redis = store.redis, startMs = 0) {
    let elapsed = startMs;
    const waits: number[] = [];
    const events = Object.entries(at).map(([ms, happen]) => ({ ms: Number(ms), happen }));
    const catchUp = async (until: number) => {
      for (const event of events.filter(({ ms }) => ms <= until)) {
        events.splice(events.indexOf(event), 1);
        elapsed = Math.max(elapsed, event.ms);
        await event.happen();
      }
      elapsed = until;
    };
    await catchUp(startMs);
    await sweepOrders({
      redis,
      completion: "sweep",
      streamMaxLength: STREAM_MAX_LENGTH,
      clock: () => DUE + elapsed,
      wait: async (ms) => {
        waits.push(ms);
        await catchUp(elapsed + ms);
      },
    });
    return { waits, endedMs: elapsed };
  }

  const storeDue = async (ms: number) => {
    const pk = await storeOrder(store.client);
    await store.client.zAdd("orders:pending", { value: pk, score: DUE + ms });
    return pk;
  };

  /** How late each announced order was, by the due times of `dueMs`. */
  async function latenesses(dueMs: ReadonlyMap<string, number>): Promise<number[]> {
    const entries = (await store.client.xRange("order_completed", "-", "+")) ?? [];
    return entries.map(
      ({ message }) => Date.parse(message.completed_at ?? "") - DUE - (dueMs.get(message.pk ?? "") ?? Number.NaN),
    );
  }

  test("300 orders that are due at once and one every second across the change of two runs are completed on time, never early", async () => {
    const dueMs = new Map<string, number>();
    const place = async (ms: number) => dueMs.set(await storeDue(ms), ms);
    for (let n = 0; n < 300; n += 1) await place(30_000);
    for (let second = 1; second <= 120; second += 1) await place(second * 1_000 + 7 * second);

    // Runs start every minute, and each ends after the next has begun.
    const first = await run({}, store.redis, 0);
    expect(first.endedMs).toBeGreaterThan(60_000);
    expect((await run({}, store.redis, 60_000)).endedMs).toBeGreaterThan(120_000);

    const late = await latenesses(dueMs);
    expect(late).toHaveLength(dueMs.size - [...dueMs.values()].filter((ms) => ms > 125_000).length);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...late)).toBeLessThanOrEqual(200);
  });

  test("an idle stage reads the index once in 5 s, and an order that is placed meanwhile is still completed on time", async () => {
    await store.client.flushAll();
    let pk = "";
    const { redis, requests } = await countedRedis(store);

    const { waits } = await run({ 31000: async () => (pk = await storeDue(36_000)) }, redis);

    expect(await latenesses(new Map([[pk, 36_000]]))).toEqual([1]);
    expect(waits.filter((ms) => ms === 5_000).length).toBeGreaterThan(10);
    // A read per wait, the gauges, and a script that was not in the cache.
    expect(requests()).toBeLessThanOrEqual(waits.length + 4);
  });

  test("two runs at once complete each order once", async () => {
    const pks = await Promise.all(Array.from({ length: 50 }, (_, n) => storeDue(n * 100)));

    await Promise.all([run(), run()]);

    expect(await announcements(store.client)).toEqual(Object.fromEntries(pks.map((pk) => [pk, 1])));
  });

  test.for(["to sweep", "back to scheduler"])(
    "a switch %s with orders in flight announces each once, and none late",
    async (to) => {
      const dueMs = new Map<string, number>();
      const place = async (ms: number) => {
        const pk = await storeDue(ms);
        dueMs.set(pk, ms);
        return pk;
      };
      const fire = (pk: string, ms: number) =>
        completeOrder({ redis: store.redis, streamMaxLength: STREAM_MAX_LENGTH }, { pk }, DUE + ms);
      // Those without a schedule, and those whose schedules fire a second late, while a run of the sweep goes on.
      for (let ms = 5_000; ms < 25_000; ms += 1_000) await place(ms);
      const scheduled = to === "to sweep" ? [...dueMs.keys()] : [];
      const events: Record<number, () => unknown> = {};
      for (let ms = 25_000; ms < 45_000; ms += 1_000) {
        events[ms - 5_000] = async () => {
          const pk = await place(ms);
          if (to === "back to scheduler") scheduled.push(pk);
        };
      }
      for (let ms = 5_000; ms < 45_000; ms += 1_000) {
        events[ms + 1_001] = async () => {
          for (const pk of scheduled.filter((each) => dueMs.get(each) === ms)) await fire(pk, ms + 1_001);
        };
      }

      await run(events);

      expect(await announcements(store.client)).toEqual(Object.fromEntries([...dueMs.keys()].map((pk) => [pk, 1])));
      expect(Math.max(...(await latenesses(dueMs)))).toBeLessThanOrEqual(200);
      expect(await stillPending()).toBe(0);
    },
  );

  test("a run survives a Redis that is gone for 20 s, and completes what became due meanwhile within a second", async () => {
    const dueMs = new Map<string, number>();
    for (const ms of [5_000, 12_000, 29_000, 31_000]) dueMs.set(await storeDue(ms), ms);
    const upstash = await startHttpFront(store.url);
    onTestFinished(() => upstash.stop());

    await run({ 10000: () => upstash.answerWith(refused), 30000: () => upstash.reset() }, redisAt(upstash.url));

    const [onTime, early, middle, after] = await latenesses(dueMs);
    expect(onTime).toBeLessThanOrEqual(200);
    expect(early).toBeLessThanOrEqual(19_000);
    expect(middle).toBeLessThanOrEqual(2_000);
    expect(after).toBeLessThanOrEqual(200);
  });

  test("while Redis refuses writes, a run tries one order in 5 s, and goes on when Redis takes them again", async () => {
    await Promise.all(Array.from({ length: 3 * BATCH_SIZE }, () => storeDue(0)));
    const allow = await forbid(store.client, "xadd");
    const calls = async () =>
      Number(
        /calls=(\d+)/.exec(
          await store.client.info("commandstats").then((text) => /cmdstat_hmget:(.*)/.exec(text)?.[1] ?? "calls=0"),
        )?.[1],
      );
    const before = await calls();
    let tried = 0;

    await run({
      50000: async () => {
        tried = (await calls()) - before;
        await allow();
      },
    });

    expect(tried).toBeLessThanOrEqual(BATCH_SIZE + 11);
    expect(await stillPending()).toBe(0);
  });

  test("a run that never reached Redis fails", async () => {
    const upstash = await startHttpFront(store.url);
    onTestFinished(() => upstash.stop());
    upstash.answerWith(refused);

    await expect(run({}, redisAt(upstash.url))).rejects.toMatchObject({ code: "redis_failed" });
  });
});
