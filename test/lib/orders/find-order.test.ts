import { ulid } from "ulid";
import { describe, expect, test } from "vitest";
import { findOrder, findPlacedOrder } from "../../../lib/orders/find-order.ts";
import { placeOrder } from "../../../lib/orders/place-order.ts";
import { CREATED_AT, newPk, storeOrder } from "../../support/orders.ts";
import { countedRedis, redisAt, useStore } from "../../support/store.ts";

const store = useStore();

test("an order is found in one request, its product id a string and its quantity a number", async () => {
  const pk = await storeOrder(store.client);
  const { redis, requests } = await countedRedis(store);

  expect(await findOrder(redis, pk)).toEqual({
    pk,
    product_id: "123",
    quantity: 2,
    status: "pending",
    created_at: CREATED_AT,
  });
  expect(requests()).toBe(1);
});

test("a key that holds something else is a failure of Redis, and the error does not show the key", async () => {
  const pk = newPk();
  await store.client.set(`order:${pk}`, "secret");

  const error = await findOrder(store.redis, pk).catch((thrown: unknown) => thrown);

  expect(error).toMatchObject({ code: "redis_failed", cause: { message: expect.stringMatching(/^WRONGTYPE/) } });
  expect(error).toMatchObject({ cause: { message: expect.not.stringContaining(pk) } });
});

test.for([{ status: "lost" }, { quantity: "two" }, { created_at: "yesterday" }, { completed_at: "" }, { pk: "abc" }])(
  "the error of an invalid stored order does not show its values: %o",
  async (field) => {
    const pk = await storeOrder(store.client);
    await store.client.hSet(`order:${pk}`, { ...field, product_id: "secret-product" });

    const error = await findOrder(store.redis, pk).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: "redis_invalid_reply" });
    expect(String(error instanceof Error && error.cause)).not.toMatch(/secret-product|yesterday|two/);
  },
);

const NEVER_MS = 3_600_000;
const KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324";

/** Places an order through the gateway, as an instance of its own: others do not know what it has written. */
function place() {
  const input = { request: { id: "123", quantity: 2 }, idempotencyKey: KEY, now: Date.now() };
  return placeOrder({ redis: redisAt(store.url, store.token), retentionDays: 0 }, input);
}

describe("while reads lag behind writes", () => {
  test("an order that was just placed is read once more, and then found", async () => {
    const catchUp = await store.lagReads(NEVER_MS);
    const { order } = await place();
    const { redis, requests } = await countedRedis(store, (number) => number === 2 && catchUp());

    expect(await findOrder(redis, order.pk)).toEqual(order);
    expect(requests()).toBe(2);
  });

  test("an order that was just placed may be there soon, and an older one is not there", async () => {
    await store.lagReads(NEVER_MS);
    const { order } = await place();
    const { redis, requests } = await countedRedis(store);

    await expect(findOrder(redis, order.pk)).rejects.toMatchObject({ code: "order_not_found_yet" });
    expect(requests()).toBe(2);
    await expect(findOrder(redis, ulid(Date.now() - 10_001))).rejects.toMatchObject({ code: "order_not_found" });
    expect(requests()).toBe(3);
  });

  test("a replay finds the first order, because its script has read the present", async () => {
    await store.lagReads(NEVER_MS);
    const { order } = await place();

    expect(await place()).toEqual({ order, replayed: true });
  });
});

test.for([
  ["just placed, and cannot be read", 0, "idempotency_key_in_use"],
  ["placed long ago, and was deleted", 86_400_000, "order_deleted"],
] as const)("a replay does not order again when its order was %s", async ([, age, code]) => {
  await expect(findPlacedOrder(store.redis, ulid(Date.now() - age))).rejects.toMatchObject({ code });
});
