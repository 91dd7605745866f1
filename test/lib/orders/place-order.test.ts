import { beforeEach, describe, expect, test, vi } from "vitest";
import { timeoutMs } from "../../../infra/serverless-yml.ts";
import { createInventory } from "../../../lib/integrations/inventory.ts";
import { findOrder } from "../../../lib/orders/find-order.ts";
import { idempotencyRedisKey } from "../../../lib/orders/idempotency-key.ts";
import { type Inventory, placeOrder } from "../../../lib/orders/place-order.ts";
import { logger } from "../../../lib/telemetry.ts";
import { useInventory } from "../../support/inventory.ts";
import { dumpKeyspace, type KeyDump } from "../../support/keyspace.ts";
import { newPk } from "../../support/orders.ts";
import { forbid } from "../../support/redis.ts";
import { countedRedis, useStore } from "../../support/store.ts";

const REQUEST = { id: "123", quantity: 2 };
const KEY = "a-key-of-the-client";
const REDIS_KEY = idempotencyRedisKey(KEY);
const IN_USE = { code: "idempotency_key_in_use" };

const store = useStore();
const shop = useInventory();
const schedule = vi.fn(async (_pk: string, _due: number) => undefined);

beforeEach(() => void schedule.mockClear());

interface Placing {
  readonly request?: typeof REQUEST;
  readonly key?: string | undefined;
  readonly redis?: typeof store.redis;
  readonly retentionDays?: number;
}

function place(
  { request = REQUEST, key, redis = store.redis, retentionDays = 0 }: Placing = {},
  inventory?: Inventory,
) {
  const input = { request, idempotencyKey: key, now: Date.now() };
  return placeOrder({ redis, scheduler: { schedule }, inventory, retentionDays }, input);
}

const placePriced = (placing?: Placing) => place(placing, createInventory({ INVENTORY_URL: shop.url }));

/** Fills the script cache of Redis, so that a script takes one request. */
async function warmUpScripts(): Promise<void> {
  await placePriced({ key: "a-key-of-another-client" }).catch(() => undefined);
  await store.client.flushAll();
}

describe("without prices", () => {
  test("a placed order can be found as it was returned, for ever, and its completion is scheduled", async () => {
    const { order, replayed } = await place();

    expect(replayed).toBe(false);
    expect(order).toMatchObject({ product_id: "123", quantity: 2, status: "pending" });
    expect(await findOrder(store.redis, order.pk)).toEqual(order);
    expect(await store.client.ttl(`order:${order.pk}`)).toBe(-1);
    const due = await store.client.zScore("orders:pending", order.pk);
    expect(due).toBe(Date.parse(order.created_at) + 5_000);
    expect(schedule).toHaveBeenCalledExactlyOnceWith(order.pk, due);
  });

  test("creating is one request to Redis, and one more where the script is not in the cache", async () => {
    const { redis, requests } = await countedRedis(store);

    await place({ redis });
    expect(requests()).toBe(2);
    await place({ key: KEY, redis });
    expect(requests()).toBe(3);
  });

  test("the same request with the same key gives the first order again, as it is by then, and writes nothing", async () => {
    const { order } = await place({ key: KEY });
    await store.client.hSet(`order:${order.pk}`, { status: "refunded", refunded_at: order.created_at });
    const before = await dumpKeyspace(store.client);

    const again = await place({ key: KEY });

    expect(again).toEqual({ order: { ...order, status: "refunded", refunded_at: order.created_at }, replayed: true });
    expect(await dumpKeyspace(store.client)).toEqual(before);
  });

  test.for([
    { id: "124", quantity: 2 },
    { id: "123", quantity: 3 },
    { id: "12", quantity: 32 },
  ])("another request with the same key is refused and writes nothing: %o", async (request) => {
    await place({ key: KEY });
    const before = await dumpKeyspace(store.client);

    await expect(place({ request, key: KEY })).rejects.toMatchObject({ code: "idempotency_key_reused" });

    expect(await dumpKeyspace(store.client)).toEqual(before);
  });

  test.for([undefined, KEY])(
    "a call whose reply was lost, sent again once the order is completed, changes nothing: key %s",
    async (key) => {
      await warmUpScripts();
      let before: Record<string, KeyDump> = {};
      const { redis, requests } = await countedRedis(store, async (number) => {
        if (number === 1) return true;
        const [orderKey = ""] = await store.client.keys("order:*");
        await store.client.hSet(orderKey, { status: "completed" });
        await store.client.del("orders:pending");
        for (const written of await store.client.keys("*")) await store.client.expire(written, 100);
        before = await dumpKeyspace(store.client);
        return false;
      });

      expect(await place({ key, redis, retentionDays: 30 })).toMatchObject({ replayed: false });

      expect(requests()).toBe(2);
      expect(await dumpKeyspace(store.client)).toEqual(before);
      for (const written of Object.keys(before)) expect(await store.client.ttl(written)).toBeLessThanOrEqual(100);
    },
  );

  test("where orders:pending is something else, nothing is written or scheduled", async () => {
    await store.client.rPush("orders:pending", "other");
    const before = await dumpKeyspace(store.client);

    await expect(place({ key: KEY })).rejects.toMatchObject({
      code: "redis_failed",
      cause: { message: expect.stringMatching(/^WRONGTYPE/) },
    });

    expect(await dumpKeyspace(store.client)).toEqual(before);
    expect(schedule).not.toHaveBeenCalled();
  });
});

describe("with prices", () => {
  test.for([
    [0.01, 1],
    [10_000_000, 1_000_000],
  ])("the reply to a new order is what is read later: unit price %d, quantity %d", async ([price, quantity = 0]) => {
    shop.sellAt(price);

    const { order } = await placePriced({ request: { id: "tea", quantity } });

    expect(order.price).toBe(price);
    expect(await findOrder(store.redis, order.pk)).toEqual(order);
  });

  test("an order is one question and one request to Redis, with a key two; a replay is two and no question", async () => {
    await placePriced();
    const { redis, requests } = await countedRedis(store);

    await placePriced({ redis });
    expect([requests(), shop.questions.length]).toEqual([1, 2]);
    await placePriced({ key: KEY, redis });
    expect([requests(), shop.questions.length]).toEqual([3, 3]);
    await placePriced({ key: KEY, redis });
    expect([requests(), shop.questions.length]).toEqual([5, 3]);
  });

  test("a key gives its order with its first price, refuses another request, and asks and writes nothing", async () => {
    const { order } = await placePriced({ key: KEY });
    shop.sellAt(99);
    const before = await dumpKeyspace(store.client);

    expect(await placePriced({ key: KEY })).toEqual({ order, replayed: true });
    const other = placePriced({ request: { id: "123", quantity: 3 }, key: KEY });
    await expect(other).rejects.toMatchObject({ code: "idempotency_key_reused" });

    expect(shop.questions).toHaveLength(1);
    expect(await dumpKeyspace(store.client)).toEqual(before);
  });

  test("an order that was placed without a price is replayed without one", async () => {
    const { order } = await place({ key: KEY });

    expect(await placePriced({ key: KEY })).toEqual({ order, replayed: true });

    expect(shop.questions).toEqual([]);
  });

  test("of 30 requests at once one asks and places its order, and all others are told to retry", async () => {
    const replies = await Promise.allSettled(Array.from({ length: 30 }, () => placePriced({ key: KEY })));

    expect(shop.questions).toHaveLength(1);
    const placed = replies.filter(({ status }) => status === "fulfilled");
    expect(placed.length).toBeGreaterThan(0);
    for (const reply of replies) if (reply.status === "rejected") expect(reply.reason).toMatchObject(IN_USE);
    expect(await store.client.zCard("orders:pending")).toBe(1);
  });

  test.for([
    ["of another form", "redis_invalid_reply", () => store.client.set(REDIS_KEY, "nonsense")],
    ["of another pk", "redis_invalid_reply", () => store.client.set(REDIS_KEY, "17:abc")],
    ["of a claim for no pk", "redis_invalid_reply", () => store.client.set(REDIS_KEY, "claim:17")],
    ["of another type", "redis_failed", () => store.client.rPush(REDIS_KEY, `${newPk()}:abc`)],
  ] as const)("a record %s is %s, and nothing is asked", async ([, code, spoil]) => {
    await spoil();

    await expect(placePriced({ key: KEY })).rejects.toMatchObject({ code });

    expect(shop.questions).toEqual([]);
  });

  describe("while a request waits for the inventory, its key is claimed:", () => {
    /** A request that waits for the inventory, until it is given the price. */
    async function waiting() {
      const { asked, answer } = shop.hold();
      const placing = placePriced({ key: KEY });
      await asked;
      return { placing, answer };
    }

    test("a request with the key asks, writes and places nothing, for as long as the function can run", async () => {
      const functionTimeoutS = timeoutMs("createOrder") / 1000;
      const { placing, answer } = await waiting();
      const before = await dumpKeyspace(store.client);

      for (const request of [REQUEST, { id: "123", quantity: 3 }]) {
        await expect(placePriced({ request, key: KEY })).rejects.toMatchObject(IN_USE);
        await expect(place({ request, key: KEY })).rejects.toMatchObject(IN_USE);
      }

      expect(await dumpKeyspace(store.client)).toEqual(before);
      const ttl = await store.client.ttl(REDIS_KEY);
      expect(ttl).toBeGreaterThan(functionTimeoutS + 5);
      expect(ttl).toBeLessThanOrEqual(30);
      expect(shop.questions).toHaveLength(1);
      answer();
      expect(await placing).toMatchObject({ replayed: false });
    });

    test("a request that comes back to find its claim expired places its order", async () => {
      const { placing, answer } = await waiting();
      await store.client.del(REDIS_KEY);

      answer();

      expect(await placing).toMatchObject({ replayed: false });
    });

    test("a request that comes back to find the key claimed by another places nothing", async () => {
      const { placing, answer } = await waiting();
      await store.client.set(REDIS_KEY, `claim:${newPk()}`);
      const before = await dumpKeyspace(store.client);

      answer();

      await expect(placing).rejects.toMatchObject(IN_USE);
      expect(await dumpKeyspace(store.client)).toEqual(before);
    });

    test("a claim whose reply was lost is known again as its own", async () => {
      const { redis, requests } = await countedRedis(store, (number) => number === 1);

      expect(await placePriced({ key: KEY, redis })).toMatchObject({ replayed: false });

      expect(requests()).toBeGreaterThan(2);
      expect(shop.questions).toHaveLength(1);
    });
  });

  describe("without an answer of the inventory", () => {
    test("the key is free for the next request, which asks again", async () => {
      shop.answerWith((_request, response) => response.writeHead(500).end());
      await expect(placePriced({ key: KEY })).rejects.toMatchObject({ code: "inventory_failed" });
      shop.sellAt(5);

      expect(await placePriced({ key: KEY })).toMatchObject({ replayed: false, order: { price: 5 } });
    });

    test("a release that is sent again leaves the claim that another request made meanwhile", async () => {
      const theirs = `claim:${newPk()}`;
      shop.answerWith((_request, response) => response.writeHead(404).end());
      await warmUpScripts();
      // The second request releases; its reply is lost, and before the third another request has claimed the key.
      const { redis } = await countedRedis(store, async (number) => {
        if (number === 3) await store.client.set(REDIS_KEY, theirs);
        return number === 2;
      });

      await expect(placePriced({ key: KEY, redis })).rejects.toMatchObject({ code: "unknown_product" });

      expect(await store.client.get(REDIS_KEY)).toBe(theirs);
    });

    test("when the release fails the client gets the inventory's failure, the log says so, and the claim ends by itself", async () => {
      const warn = vi.spyOn(logger, "warn");
      shop.answerWith(async (_request, response) => {
        await store.client.rename(REDIS_KEY, "saved");
        await store.client.rPush(REDIS_KEY, "other");
        response.writeHead(500).end();
      });

      await expect(placePriced({ key: KEY })).rejects.toMatchObject({ code: "inventory_failed" });

      expect(warn).toHaveBeenCalledExactlyOnceWith(
        "A claimed Idempotency-Key was not released",
        expect.objectContaining({ error: expect.objectContaining({ code: "redis_failed" }) }),
      );
      expect(await store.client.ttl("saved")).toBeGreaterThan(0);
    });
  });
});

test.for([
  ["without a key", () => place()],
  ["with a key", () => place({ key: KEY })],
] as const)("an order %s that cannot be stored leaves nothing behind, and can be placed again", async ([, placing]) => {
  const allow = await forbid(store.client, "hset");

  await expect(placing()).rejects.toMatchObject({ code: "redis_failed" });

  expect(await dumpKeyspace(store.client)).toEqual({});
  await allow();
  expect(await placing()).toMatchObject({ replayed: false });
});

test("an order with a claimed key that cannot be stored keeps the claim, so that no client learns that its key is free while its request is sent again", async () => {
  await warmUpScripts();
  const allow = await forbid(store.client, "hset");
  const outcomes: string[] = [];
  // Requests: the claim, the order (refused, and its reply is lost), the order again.
  const { redis } = await countedRedis(store, async (number) => {
    if (number === 3) {
      shop.answerWith((_request, response) => response.writeHead(500).end());
      await placePriced({ key: KEY }).catch(({ code }) => outcomes.push(code));
      await allow();
    }
    return number === 2;
  });

  expect(await placePriced({ key: KEY, redis })).toMatchObject({ replayed: false });

  expect(outcomes).toEqual(["idempotency_key_in_use"]);
  expect(await store.client.keys("order:*")).toHaveLength(1);
});

test("of concurrent requests with one key and without prices, one places its order and all others get it", async () => {
  const placed = await Promise.all(Array.from({ length: 30 }, () => place({ key: KEY })));

  expect(placed.filter(({ replayed }) => !replayed)).toHaveLength(1);
  expect(new Set(placed.map(({ order }) => order.pk)).size).toBe(1);
  expect(await store.client.keys("order:*")).toHaveLength(1);
  expect(schedule).toHaveBeenCalledTimes(1);
});

describe("an order that is kept for some days", () => {
  test.for([
    ["a key", place],
    ["a claimed key", placePriced],
  ] as const)("does not expire before %s", async ([, placing]) => {
    const { order } = await placing({ key: KEY, retentionDays: 1 });

    const keyExpiresAt = await store.client.pExpireTime(REDIS_KEY);
    expect(await store.client.pExpireTime(`order:${order.pk}`)).toBeGreaterThanOrEqual(keyExpiresAt);
  });

  test("and whose expiry cannot be set is stored with its key, and the same request gives it again", async () => {
    const allow = await forbid(store.client, "expire");
    await expect(placePriced({ key: KEY, retentionDays: 30 })).rejects.toMatchObject({ code: "redis_failed" });
    await allow();

    expect(await placePriced({ key: KEY, retentionDays: 30 })).toMatchObject({ replayed: true });
  });
});
