import { describe, expect, test, vi } from "vitest";
import { productInventory } from "../../lib/inventory.ts";
import { findOrder } from "../../lib/orders/find-order.ts";
import { placeOrder } from "../../lib/orders/place-order.ts";
import { idempotencyKeyKey } from "../../lib/redis/keys.ts";
import { selling, useInventory } from "../support/inventory.ts";
import { dumpKeyspace } from "../support/keyspace.ts";
import { newPk } from "../support/orders.ts";
import { countedRedis } from "../support/proxy.ts";
import { useStore } from "../support/store.ts";
import { useTimer } from "../support/timer.ts";

const REQUEST = { id: "tea", quantity: 2 };
const KEY = "a-key-of-the-client";

const store = useStore();
const timers = useTimer();
const shop = useInventory();

const place = (request = REQUEST, idempotencyKey: string | undefined = undefined, redis = store.redis) =>
  placeOrder(
    redis,
    timers.timer,
    { request, idempotencyKey, now: Date.now() },
    productInventory({ INVENTORY_URL: shop.url }),
  );

test("the price of one piece is stored with fee and total as decimals, and told as numbers", async () => {
  const { order } = await place();

  expect(order).toMatchObject({ price: 19.9, fee: 7.96, total: 47.76 });
  expect(await store.client.hGetAll(`order:${order.pk}`)).toMatchObject({
    price: "19.90",
    fee: "7.96",
    total: "47.76",
  });
  expect(await findOrder(store.redis, order.pk)).toEqual(order);
});

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
    const { order } = await placeOrder(store.redis, timers.timer, placing);

    expect(await place(REQUEST, KEY)).toEqual({ order, replayed: true });

    expect(shop.questions).toEqual([]);
  });

  test("of 30 requests at once, while the price changes with each answer, all get the one order and its one price", async () => {
    let price = 0;
    shop.answerWith(
      selling(() => {
        price += 1;
        return price;
      }),
    );

    const placed = await Promise.all(Array.from({ length: 30 }, () => place(REQUEST, KEY)));

    // More than one was asked, or this test would not show what the losers get.
    expect(shop.questions.length).toBeGreaterThan(1);
    expect(placed.filter(({ replayed }) => !replayed)).toHaveLength(1);
    const [first] = placed;
    for (const { order } of placed) expect(order).toEqual(first?.order);
    expect(await store.client.zCard("orders:pending")).toBe(1);
  });

  test.for([
    ["of another form", "redis_replied_nonsense", () => store.client.set(idempotencyKeyKey(KEY), "nonsense")],
    ["of another pk", "redis_replied_nonsense", () => store.client.set(idempotencyKeyKey(KEY), "17:abc")],
    ["of another type", "redis_failed", () => store.client.rPush(idempotencyKeyKey(KEY), `${newPk()}:abc`)],
  ] as const)("a record %s is %s, and nothing is asked", async ([, code, spoil]) => {
    await spoil();

    await expect(place(REQUEST, KEY)).rejects.toMatchObject({ code });

    expect(shop.questions).toEqual([]);
  });
});

describe("without a price", () => {
  test.for([404, 500])("nothing is stored and nothing scheduled: the inventory answers %d", async (status) => {
    shop.answerWith((_request, response) => response.writeHead(status).end());
    const schedule = vi.spyOn(timers.timer, "schedule");

    await expect(place(REQUEST, KEY)).rejects.toThrow();

    expect(await store.client.dbSize()).toBe(0);
    expect(schedule).not.toHaveBeenCalled();
  });

  test("the key is free for the next request, which asks again", async () => {
    shop.answerWith((_request, response) => response.writeHead(500).end());
    await expect(place(REQUEST, KEY)).rejects.toMatchObject({ code: "inventory_failed" });
    shop.sellAt(5);

    expect(await place(REQUEST, KEY)).toMatchObject({ replayed: false, order: { price: 5 } });
  });
});
