import { beforeEach, describe, expect, test, vi } from "vitest";
import { ServiceError } from "../../../lib/errors.ts";
import { createInventory } from "../../../lib/integrations/inventory.ts";
import { findOrder } from "../../../lib/orders/find-order.ts";
import { idempotencyRedisKey } from "../../../lib/orders/idempotency-key.ts";
import { placeOrder } from "../../../lib/orders/place-order.ts";
import { logger } from "../../../lib/telemetry.ts";
import { readTimeouts } from "../../support/bundle.ts";
import { useInventory } from "../../support/inventory.ts";
import { dumpKeyspace } from "../../support/keyspace.ts";
import { newPk } from "../../support/orders.ts";
import { countedRedis, useStore } from "../../support/store.ts";

const store = useStore();
const schedule = vi.fn(async (_pk: string, _due: number) => undefined);

beforeEach(() => void schedule.mockClear());

describe("without prices", () => {
  const REQUEST = { id: "123", quantity: 2 };
  const KEY = "a-key-of-the-client";

  const place = (request = REQUEST, idempotencyKey: string | undefined = undefined, redis = store.redis) =>
    placeOrder(redis, { schedule }, { request, idempotencyKey, now: Date.now() });

  test("a placed order can be found as it was returned, and its completion is scheduled", async () => {
    const { order, replayed } = await place();

    expect(replayed).toBe(false);
    expect(order).toMatchObject({ product_id: "123", quantity: 2, status: "pending" });
    expect(await findOrder(store.redis, order.pk)).toEqual(order);
    const due = await store.client.zScore("orders:pending", order.pk);
    expect(due).toBe(Date.parse(order.created_at) + 5_000);
    expect(schedule).toHaveBeenCalledExactlyOnceWith(order.pk, due);
  });

  test("creating is one request to Redis, and one more where the script is not in the cache", async () => {
    const { redis, requests } = await countedRedis(store);

    await place(REQUEST, undefined, redis);
    expect(requests()).toBe(2);
    await place(REQUEST, KEY, redis);
    expect(requests()).toBe(3);
  });

  test.for<[string, string]>([
    ["digits", "123"],
    ["JSON", '{"a":[1]}'],
    ["base64", "T0s="],
  ])("a product id of %s stays what it is, in the store and to the client", async ([, id]) => {
    const { order } = await place({ id, quantity: 1 });

    expect(await store.client.hGet(`order:${order.pk}`, "product_id")).toBe(id);
    expect(await findOrder(store.redis, order.pk)).toEqual(order);
    expect(order.product_id).toBe(id);
  });

  describe("with an Idempotency-Key", () => {
    test("the same request gives the first order again, as it is by then, and writes nothing", async () => {
      const { order } = await place(REQUEST, KEY);
      await store.client.hSet(`order:${order.pk}`, { status: "refunded", refunded_at: order.created_at });
      const before = await dumpKeyspace(store.client);

      const again = await place(REQUEST, KEY);

      expect(again).toEqual({
        order: { ...order, status: "refunded", refunded_at: order.created_at },
        replayed: true,
      });
      expect(await dumpKeyspace(store.client)).toEqual(before);
    });

    test.for([
      { id: "124", quantity: 2 },
      { id: "123", quantity: 3 },
      { id: "12", quantity: 32 },
    ])("another request is refused and writes nothing: %o", async (request) => {
      await place(REQUEST, KEY);
      const before = await dumpKeyspace(store.client);

      await expect(place(request, KEY)).rejects.toMatchObject({ code: "idempotency_key_reused" });

      expect(await dumpKeyspace(store.client)).toEqual(before);
    });

    test("the key itself is not in the store, which others may read", async () => {
      await place(REQUEST, KEY);

      expect(JSON.stringify(await dumpKeyspace(store.client))).not.toContain(KEY);
    });
  });

  test("when Redis fails nothing is scheduled", async () => {
    await store.client.rPush("orders:pending", "other");

    await expect(place()).rejects.toBeInstanceOf(ServiceError);

    expect(schedule).not.toHaveBeenCalled();
  });
});

describe("with prices", () => {
  const REQUEST = { id: "tea", quantity: 2 };
  const KEY = "a-key-of-the-client";
  const IN_USE = { code: "idempotency_key_in_use" };

  const shop = useInventory();

  const place = (request = REQUEST, idempotencyKey: string | undefined = undefined, redis = store.redis) =>
    placeOrder(
      redis,
      { schedule },
      { request, idempotencyKey, now: Date.now() },
      createInventory({ INVENTORY_URL: shop.url }),
    );

  /** Fills the script cache of Redis, so that a script takes one request. */
  async function warmUpScripts(): Promise<void> {
    await place(REQUEST, "a-key-of-another-client").catch(() => undefined);
  }

  test.for([
    [0, 1],
    [0.01, 1],
    [10_000_000, 1_000_000],
    [9_999_999.99, 999_999],
  ])("what is told of a new order is what is read: %d for a piece, %d pieces", async ([price, quantity = 0]) => {
    shop.sellAt(price);

    const { order } = await place({ id: "tea", quantity });

    expect(order.price).toBe(price);
    expect(await findOrder(store.redis, order.pk)).toEqual(order);
  });

  test("an order is one question and one request to Redis, with a key two; a replay is two and no question", async () => {
    await place();
    const { redis, requests } = await countedRedis(store);

    await place(REQUEST, undefined, redis);
    expect([requests(), shop.questions.length]).toEqual([1, 2]);
    await place(REQUEST, KEY, redis);
    expect([requests(), shop.questions.length]).toEqual([3, 3]);
    await place(REQUEST, KEY, redis);
    expect([requests(), shop.questions.length]).toEqual([5, 3]);
  });

  describe("with an Idempotency-Key", () => {
    test("the same request gives the first order with its first price, and asks and writes nothing", async () => {
      const { order } = await place(REQUEST, KEY);
      shop.sellAt(99);
      const before = await dumpKeyspace(store.client);

      expect(await place(REQUEST, KEY)).toEqual({ order, replayed: true });

      expect(shop.questions).toHaveLength(1);
      expect(await dumpKeyspace(store.client)).toEqual(before);
    });

    test("another request is refused, and asks and writes nothing", async () => {
      await place(REQUEST, KEY);
      const before = await dumpKeyspace(store.client);

      await expect(place({ id: "tea", quantity: 3 }, KEY)).rejects.toMatchObject({ code: "idempotency_key_reused" });

      expect(shop.questions).toHaveLength(1);
      expect(await dumpKeyspace(store.client)).toEqual(before);
    });

    test("an order that was placed without a price is replayed without one", async () => {
      const placing = { request: REQUEST, idempotencyKey: KEY, now: Date.now() };
      const { order } = await placeOrder(store.redis, { schedule }, placing);

      expect(await place(REQUEST, KEY)).toEqual({ order, replayed: true });

      expect(shop.questions).toEqual([]);
    });

    test("of 30 requests at once one asks and places its order, and all others are told to come again", async () => {
      const replies = await Promise.allSettled(Array.from({ length: 30 }, () => place(REQUEST, KEY)));

      expect(shop.questions).toHaveLength(1);
      const placed = replies.filter(({ status }) => status === "fulfilled");
      expect(placed.length).toBeGreaterThan(0);
      for (const reply of replies) if (reply.status === "rejected") expect(reply.reason).toMatchObject(IN_USE);
      expect(await store.client.zCard("orders:pending")).toBe(1);
    });

    test.for([
      ["of another form", "redis_invalid_reply", () => store.client.set(idempotencyRedisKey(KEY), "nonsense")],
      ["of another pk", "redis_invalid_reply", () => store.client.set(idempotencyRedisKey(KEY), "17:abc")],
      ["of a claim for no pk", "redis_invalid_reply", () => store.client.set(idempotencyRedisKey(KEY), "claim:17")],
      ["of another type", "redis_failed", () => store.client.rPush(idempotencyRedisKey(KEY), `${newPk()}:abc`)],
    ] as const)("a record %s is %s, and nothing is asked", async ([, code, spoil]) => {
      await spoil();

      await expect(place(REQUEST, KEY)).rejects.toMatchObject({ code });

      expect(shop.questions).toEqual([]);
    });
  });

  describe("while a request waits for the inventory, its key is claimed:", () => {
    const redisKey = idempotencyRedisKey(KEY);

    /** A request that waits for the inventory, until it is given the price. */
    async function waiting() {
      const { asked, answer } = shop.hold();
      const placing = place(REQUEST, KEY);
      await asked;
      return { placing, answer };
    }

    test.for([REQUEST, { id: "tea", quantity: 3 }])(
      "%o with the key asks, writes and places nothing",
      async (request) => {
        const { placing, answer } = await waiting();
        const before = await dumpKeyspace(store.client);

        await expect(place(request, KEY)).rejects.toMatchObject(IN_USE);

        expect(await dumpKeyspace(store.client)).toEqual(before);
        expect(shop.questions).toHaveLength(1);
        answer();
        expect(await placing).toMatchObject({ replayed: false });
      },
    );

    test("the claim outlives the function that made it, and then ends by itself", async () => {
      const functionTimeoutS = (await readTimeouts())("createOrder") / 1000;
      const { placing, answer } = await waiting();

      const ttl = await store.client.ttl(redisKey);

      expect(ttl).toBeGreaterThan(functionTimeoutS + 5);
      expect(ttl).toBeLessThanOrEqual(30);
      answer();
      await placing;
    });

    test("a request that comes back to find its claim expired places its order", async () => {
      const { placing, answer } = await waiting();
      await store.client.del(redisKey);

      answer();

      expect(await placing).toMatchObject({ replayed: false });
    });

    test("a request that comes back to find the key claimed by another places nothing", async () => {
      const { placing, answer } = await waiting();
      await store.client.set(redisKey, `claim:${newPk()}`);
      const before = await dumpKeyspace(store.client);

      answer();

      await expect(placing).rejects.toMatchObject(IN_USE);
      expect(await dumpKeyspace(store.client)).toEqual(before);
    });

    test("a claim whose reply was lost is known again as its own", async () => {
      const { redis, requests } = await countedRedis(store, (number) => number === 1);

      expect(await place(REQUEST, KEY, redis)).toMatchObject({ replayed: false });

      expect(requests()).toBeGreaterThan(2);
      expect(shop.questions).toHaveLength(1);
    });
  });

  describe("without a price", () => {
    test("the key is free for the next request, which asks again", async () => {
      shop.answerWith((_request, response) => response.writeHead(500).end());
      await expect(place(REQUEST, KEY)).rejects.toMatchObject({ code: "inventory_failed" });
      shop.sellAt(5);

      expect(await place(REQUEST, KEY)).toMatchObject({ replayed: false, order: { price: 5 } });
    });

    test("a release that is sent again leaves the claim that another request made meanwhile", async () => {
      const theirs = `claim:${newPk()}`;
      shop.answerWith((_request, response) => response.writeHead(404).end());
      await warmUpScripts();
      // The second request releases; its reply is lost, and before the third another request has claimed the key.
      const { redis } = await countedRedis(store, async (number) => {
        if (number === 3) await store.client.set(idempotencyRedisKey(KEY), theirs);
        return number === 2;
      });

      await expect(place(REQUEST, KEY, redis)).rejects.toMatchObject({ code: "unknown_product" });

      expect(await store.client.get(idempotencyRedisKey(KEY))).toBe(theirs);
    });

    test("when the release fails the client gets the inventory's failure, the log says so, and the claim ends by itself", async () => {
      const warn = vi.spyOn(logger, "warn");
      shop.answerWith(async (_request, response) => {
        await store.client.rename(idempotencyRedisKey(KEY), "saved");
        await store.client.rPush(idempotencyRedisKey(KEY), "other");
        response.writeHead(500).end();
      });

      await expect(place(REQUEST, KEY)).rejects.toMatchObject({ code: "inventory_failed" });

      expect(warn).toHaveBeenCalledExactlyOnceWith(
        "A claimed Idempotency-Key was not released",
        expect.objectContaining({ error: expect.objectContaining({ code: "redis_failed" }) }),
      );
      expect(await store.client.ttl("saved")).toBeGreaterThan(0);
    });
  });
});
