import { expect, test } from "vitest";
import { findOrder } from "../../../lib/orders/find-order.ts";
import { CREATED_AT, newPk, storeOrder } from "../../support/orders.ts";
import { countedRedis, useStore } from "../../support/store.ts";

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

test("a key that holds something else is a failure of Redis, told without the key", async () => {
  const pk = newPk();
  await store.client.set(`order:${pk}`, "secret");

  const error = await findOrder(store.redis, pk).catch((thrown: unknown) => thrown);

  expect(error).toMatchObject({ code: "redis_failed", cause: { message: expect.stringMatching(/^WRONGTYPE/) } });
  expect(error).toMatchObject({ cause: { message: expect.not.stringContaining(pk) } });
});

test.for([{ status: "lost" }, { quantity: "two" }, { created_at: "yesterday" }, { completed_at: "" }, { pk: "abc" }])(
  "a stored order that is none is told without its values: %o",
  async (field) => {
    const pk = await storeOrder(store.client);
    await store.client.hSet(`order:${pk}`, { ...field, product_id: "secret-product" });

    const error = await findOrder(store.redis, pk).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: "redis_invalid_reply" });
    expect(String(error instanceof Error && error.cause)).not.toMatch(/secret-product|yesterday|two/);
  },
);
