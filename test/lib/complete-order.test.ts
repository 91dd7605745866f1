import { expect, test } from "vitest";
import { completeOrder, DueOrder } from "../../lib/orders/complete-orders.ts";
import { dumpKeyspace } from "../support/keyspace.ts";
import { announcements, DUE, newPk, STREAM_MAX_LENGTH, statusOf, storeOrder } from "../support/orders.ts";
import { countedRedis } from "../support/proxy.ts";
import { useStore } from "../support/store.ts";

const store = useStore();

test("completing is one request to Redis, and one more where the script is not in the cache", async () => {
  const { redis, requests } = await countedRedis(store);

  await completeOrder(redis, { pk: await storeOrder(store.client) }, DUE, STREAM_MAX_LENGTH);
  expect(requests()).toBe(2);
  await completeOrder(redis, { pk: await storeOrder(store.client) }, DUE, STREAM_MAX_LENGTH);
  expect(requests()).toBe(3);
});

test.for(["completed", "refunded"])("a delivery for a %s order succeeds and changes nothing", async (status) => {
  const pk = await storeOrder(store.client, status);
  const before = await dumpKeyspace(store.client);

  await completeOrder(store.redis, { pk }, DUE, STREAM_MAX_LENGTH);

  expect(await dumpKeyspace(store.client)).toEqual(before);
});

test("a delivery for an unknown order succeeds and changes nothing", async () => {
  await completeOrder(store.redis, { pk: newPk() }, DUE, STREAM_MAX_LENGTH);

  expect(await dumpKeyspace(store.client)).toEqual({});
});

test("two deliveries at once complete and announce the order once", async () => {
  const pk = await storeOrder(store.client);

  await Promise.all([
    completeOrder(store.redis, { pk }, DUE, STREAM_MAX_LENGTH),
    completeOrder(store.redis, { pk }, DUE, STREAM_MAX_LENGTH),
  ]);

  expect(await statusOf(store.client, pk)).toBe("completed");
  expect(await announcements(store.client)).toEqual({ [pk]: 1 });
});

test("a failure of Redis is thrown, so that the delivery is tried again", async () => {
  const pk = await storeOrder(store.client);
  await store.client.set("order_completed", "other");

  await expect(completeOrder(store.redis, { pk }, DUE, STREAM_MAX_LENGTH)).rejects.toMatchObject({
    code: "redis_failed",
  });

  expect(await statusOf(store.client, pk)).toBe("pending");
});

test.for([{}, { pk: "" }, { pk: "../x" }, { pk: 1 }, null, []])(
  "a schedule's input without an order's pk is refused: %o",
  (input) => {
    expect(DueOrder.safeParse(input).success).toBe(false);
  },
);
