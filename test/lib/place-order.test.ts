import { GetScheduleCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import { describe, expect, test, vi } from "vitest";
import { ServiceError } from "../../lib/errors.ts";
import { findOrder } from "../../lib/orders/find-order.ts";
import { idempotencyRedisKey } from "../../lib/orders/idempotency-key.ts";
import { placeOrder } from "../../lib/orders/place-order.ts";
import { dumpKeyspace } from "../support/keyspace.ts";
import { countedRedis } from "../support/proxy.ts";
import { useStore } from "../support/store.ts";
import { TIMER_ENV, useTimer } from "../support/timer.ts";

const REQUEST = { id: "123", quantity: 2 };
const KEY = "a-key-of-the-client";

const store = useStore();
const timers = useTimer();

const place = (request = REQUEST, idempotencyKey: string | undefined = undefined, redis = store.redis) =>
  placeOrder(redis, timers.timer, { request, idempotencyKey, now: Date.now() });

test("a placed order can be found as it was returned, and its completion is scheduled", async () => {
  const { order, replayed } = await place();

  expect(replayed).toBe(false);
  expect(order).toMatchObject({ product_id: "123", quantity: 2, status: "pending" });
  expect(await findOrder(store.redis, order.pk)).toEqual(order);
  const due = await store.client.zScore("orders:pending", order.pk);
  expect(due).toBe(Date.parse(order.created_at) + 5_000);
  const schedule = { Name: order.pk, GroupName: TIMER_ENV.SCHEDULE_GROUP };
  expect(await new SchedulerClient({}).send(new GetScheduleCommand(schedule))).toMatchObject({
    Target: { Arn: TIMER_ENV.SCHEDULE_TARGET_ARN, Input: JSON.stringify({ pk: order.pk }) },
  });
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
  ["a number of many digits", "123456789012345678901234567890"],
  ["JSON", '{"a":[1]}'],
  ["a JSON word", "null"],
  ["the client's word", "OK"],
  ["base64", "T0s="],
  ["quotes and backslashes", `"\\'`],
  ["signs of many planes", "\u00e9\u{1F600}\u4e2d"],
  ["a leading byte order mark", "\ufeffabc"],
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

  test("the key is remembered for 24 hours", async () => {
    await place(REQUEST, KEY);

    const ttl = await store.client.ttl(idempotencyRedisKey(KEY));
    expect(ttl).toBeLessThanOrEqual(86_400);
    expect(ttl).toBeGreaterThan(86_400 - 60);
  });

  test("50 requests at once make one order, and all get it", async () => {
    const placed = await Promise.all(Array.from({ length: 50 }, () => place(REQUEST, KEY)));

    expect(new Set(placed.map(({ order }) => order.pk)).size).toBe(1);
    expect(placed.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(await store.client.zCard("orders:pending")).toBe(1);
  });

  test("the key itself is not in the store, which others may read", async () => {
    await place(REQUEST, KEY);

    expect(JSON.stringify(await dumpKeyspace(store.client))).not.toContain(KEY);
  });
});

test("an order whose completion cannot be scheduled is placed all the same, and left to the sweep", async () => {
  const placing = { request: REQUEST, idempotencyKey: KEY, now: Date.now() };

  const { order } = await placeOrder(store.redis, timers.unreachable, placing);

  expect(await findOrder(store.redis, order.pk)).toEqual(order);
  expect(await store.client.zScore("orders:pending", order.pk)).not.toBeNull();
});

test("when Redis fails nothing is scheduled", async () => {
  await store.client.rPush("orders:pending", "other");
  const schedule = vi.spyOn(timers.timer, "schedule");

  await expect(place()).rejects.toBeInstanceOf(ServiceError);

  expect(schedule).not.toHaveBeenCalled();
});
