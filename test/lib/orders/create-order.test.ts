import { describe, expect, test } from "vitest";
import { dumpKeyspace } from "../../support/keyspace.ts";
import { CREATED_AT, type Creation, DUE, newPk, RETENTION_S, runCreateOrder } from "../../support/orders.ts";
import { forbid } from "../../support/redis.ts";
import { useStore } from "../../support/store.ts";

const CREATED = 1;
const REPLAYED = 2;
const REUSED = 3;
const IN_USE = 4;
const IDEMPOTENCY_KEY = "idempotency:abc";

const store = useStore();

const create = (creation: Creation) => runCreateOrder(store, creation);

test("a new order is stored with the completion it owes", async () => {
  const pk = newPk();

  expect(await create({ pk })).toEqual([CREATED, pk]);

  expect(await store.client.hGetAll(`order:${pk}`)).toEqual({
    pk,
    product_id: "123",
    quantity: "2",
    status: "pending",
    created_at: CREATED_AT,
  });
  expect(await store.client.zRangeWithScores("orders:pending", 0, -1)).toEqual([{ value: pk, score: DUE }]);
  expect(await store.client.dbSize()).toBe(2);
});

test("an idempotency key is remembered for 24 hours", async () => {
  const pk = newPk();

  expect(await create({ pk, idempotencyKey: IDEMPOTENCY_KEY })).toEqual([CREATED, pk]);

  expect(await store.client.get(IDEMPOTENCY_KEY)).toBe(`${pk}:f1`);
  const ttl = await store.client.ttl(IDEMPOTENCY_KEY);
  expect(ttl).toBeLessThanOrEqual(RETENTION_S);
  expect(ttl).toBeGreaterThan(RETENTION_S - 60);
});

test("an order without a retention is kept for ever", async () => {
  const pk = newPk();

  await create({ pk });

  expect(await store.client.ttl(`order:${pk}`)).toBe(-1);
});

test.for([undefined, IDEMPOTENCY_KEY])(
  "an order with a retention expires that long after it was stored, also when the call is sent again, idempotency key %s",
  async (key) => {
    const creation = { pk: newPk(), retentionDays: 30, ...(key !== undefined && { idempotencyKey: key }) };
    await create(creation);
    const ttl = await store.client.ttl(`order:${creation.pk}`);
    expect(ttl).toBeGreaterThan(30 * 86_400 - 60);
    expect(ttl).toBeLessThanOrEqual(30 * 86_400);
    await store.client.expire(`order:${creation.pk}`, 100);
    const before = await dumpKeyspace(store.client);

    expect(await create(creation)).toEqual([CREATED, creation.pk]);

    expect(await dumpKeyspace(store.client)).toEqual(before);
    expect(await store.client.ttl(`order:${creation.pk}`)).toBeLessThanOrEqual(100);
  },
);

test.for(["free", "claimed for the order"])("an order does not expire before its key, which was %s", async (key) => {
  const pk = newPk();
  if (key !== "free") await store.client.set(IDEMPOTENCY_KEY, `claim:${pk}`);

  await create({ pk, retentionDays: 1, idempotencyKey: IDEMPOTENCY_KEY });

  const keyExpiresAt = await store.client.pExpireTime(IDEMPOTENCY_KEY);
  expect(await store.client.pExpireTime(`order:${pk}`)).toBeGreaterThanOrEqual(keyExpiresAt);
});

describe("a key that is claimed", () => {
  test("for this order becomes the order's, for 24 hours", async () => {
    const pk = newPk();
    await store.client.set(IDEMPOTENCY_KEY, `claim:${pk}`, { EX: 30 });

    expect(await create({ pk, idempotencyKey: IDEMPOTENCY_KEY })).toEqual([CREATED, pk]);

    expect(await store.client.get(IDEMPOTENCY_KEY)).toBe(`${pk}:f1`);
    expect(await store.client.ttl(IDEMPOTENCY_KEY)).toBeGreaterThan(RETENTION_S - 60);
    const before = await dumpKeyspace(store.client);
    expect(await create({ pk, idempotencyKey: IDEMPOTENCY_KEY })).toEqual([CREATED, pk]);
    expect(await dumpKeyspace(store.client)).toEqual(before);
  });

  test("for another order is in use, and nothing is written", async () => {
    const other = newPk();
    await store.client.set(IDEMPOTENCY_KEY, `claim:${other}`, { EX: 30 });
    const before = await dumpKeyspace(store.client);

    expect(await create({ pk: newPk(), idempotencyKey: IDEMPOTENCY_KEY })).toEqual([IN_USE, other]);

    expect(await dumpKeyspace(store.client)).toEqual(before);
    expect(await store.client.ttl(IDEMPOTENCY_KEY)).toBeLessThanOrEqual(30);
  });
});

describe("writes nothing", () => {
  test.for([undefined, IDEMPOTENCY_KEY])("when the same call is sent again, idempotency key %s", async (key) => {
    const creation = { pk: newPk(), ...(key !== undefined && { idempotencyKey: key }) };
    await create(creation);
    if (key !== undefined) await store.client.expire(key, 100);
    const before = await dumpKeyspace(store.client);

    expect(await create(creation)).toEqual([CREATED, creation.pk]);

    expect(await dumpKeyspace(store.client)).toEqual(before);
    if (key !== undefined) expect(await store.client.ttl(key)).toBeLessThanOrEqual(100);
  });

  test.for(["completed", "refunded"])("when the same call arrives after the order was %s", async (status) => {
    const creation = { pk: newPk(), idempotencyKey: IDEMPOTENCY_KEY };
    await create(creation);
    await store.client.hSet(`order:${creation.pk}`, { status });
    await store.client.zRem("orders:pending", creation.pk);
    const before = await dumpKeyspace(store.client);

    expect(await create(creation)).toEqual([CREATED, creation.pk]);

    expect(await dumpKeyspace(store.client)).toEqual(before);
  });

  test("when the key made an order of the same fingerprint: that order is replayed", async () => {
    const first = newPk();
    await create({ pk: first, idempotencyKey: IDEMPOTENCY_KEY });
    const before = await dumpKeyspace(store.client);

    expect(await create({ pk: newPk(), idempotencyKey: IDEMPOTENCY_KEY })).toEqual([REPLAYED, first]);

    expect(await dumpKeyspace(store.client)).toEqual(before);
  });

  test("when the key made an order of another fingerprint: it is reused", async () => {
    const first = newPk();
    await create({ pk: first, idempotencyKey: IDEMPOTENCY_KEY });
    const before = await dumpKeyspace(store.client);

    const reply = await create({ pk: newPk(), idempotencyKey: IDEMPOTENCY_KEY, fingerprint: "f2" });

    expect(reply).toEqual([REUSED, first]);
    expect(await dumpKeyspace(store.client)).toEqual(before);
  });

  test.for(["orders:pending", IDEMPOTENCY_KEY])("when %s is a list", async (key) => {
    await store.client.rPush(key, "other");
    const before = await dumpKeyspace(store.client);

    const creating = create({ pk: newPk(), idempotencyKey: IDEMPOTENCY_KEY });

    await expect(creating).rejects.toMatchObject({
      code: "redis_failed",
      cause: { message: expect.stringMatching(/^WRONGTYPE/) },
    });
    expect(await dumpKeyspace(store.client)).toEqual(before);
  });
});

test("when the key of an order with an idempotency key holds something else, that key stays free for another", async () => {
  const pk = newPk();
  await store.client.set(`order:${pk}`, "other");

  const creating = create({ pk, idempotencyKey: IDEMPOTENCY_KEY });

  await expect(creating).rejects.toMatchObject({ code: "redis_failed" });
  expect(await store.client.exists(IDEMPOTENCY_KEY)).toBe(0);
  expect(await store.client.get(`order:${pk}`)).toBe("other");
});

test("of 50 creations at once with one idempotency key, one makes an order and the others replay it", async () => {
  const replies = await Promise.all(
    Array.from({ length: 50 }, () => create({ pk: newPk(), idempotencyKey: IDEMPOTENCY_KEY })),
  );

  const [made, ...rest] = replies.toSorted();
  const orders = await store.client.keys("order:*");
  expect(orders).toHaveLength(1);
  expect(made).toEqual([CREATED, orders[0]?.slice("order:".length)]);
  for (const reply of rest) expect(reply).toEqual([REPLAYED, orders[0]?.slice("order:".length)]);
  expect(await store.client.zCard("orders:pending")).toBe(1);
});

test.for([undefined, IDEMPOTENCY_KEY])(
  "an order that cannot be stored leaves nothing behind, and can be placed again, idempotency key %s",
  async (key) => {
    const creation = { pk: newPk(), ...(key !== undefined && { idempotencyKey: key }) };
    const allow = await forbid(store.client, "hset");

    await expect(create(creation)).rejects.toMatchObject({ code: "redis_failed" });

    expect(await dumpKeyspace(store.client)).toEqual({});
    await allow();
    expect(await create(creation)).toEqual([CREATED, creation.pk]);
  },
);

test("an order that cannot be stored frees the key that its request had claimed", async () => {
  const creation = { pk: newPk(), idempotencyKey: IDEMPOTENCY_KEY };
  await store.client.set(IDEMPOTENCY_KEY, `claim:${creation.pk}`);
  await forbid(store.client, "hset");

  await expect(create(creation)).rejects.toMatchObject({ code: "redis_failed" });

  expect(await dumpKeyspace(store.client)).toEqual({});
});

test("an order whose expiry cannot be set is stored with its key, and the same call sent again replays it", async () => {
  const creation = { pk: newPk(), idempotencyKey: IDEMPOTENCY_KEY, retentionDays: 30 };
  await store.client.set(IDEMPOTENCY_KEY, `claim:${creation.pk}`);
  const allow = await forbid(store.client, "expire");
  await expect(create(creation)).rejects.toMatchObject({ code: "redis_failed" });
  await allow();

  expect(await create({ ...creation, pk: newPk() })).toEqual([REPLAYED, creation.pk]);
});

describe("with prices", () => {
  test("an order with prices is stored with them as they were given", async () => {
    const pk = newPk();

    expect(await create({ pk, prices: ["19.90", "7.96", "47.76"] })).toEqual([CREATED, pk]);

    expect(await store.client.hGetAll(`order:${pk}`)).toEqual({
      pk,
      product_id: "123",
      quantity: "2",
      price: "19.90",
      fee: "7.96",
      total: "47.76",
      status: "pending",
      created_at: CREATED_AT,
    });
  });

  test.for<[string, string[]]>([
    ["another price", ["20.00", "8.00", "48.00"]],
    ["no price", []],
  ])("nothing is written when the same call, or the key, comes with %s: the first price stays", async ([, prices]) => {
    const creation = { pk: newPk(), idempotencyKey: IDEMPOTENCY_KEY, prices: ["19.90", "7.96", "47.76"] };
    await create(creation);
    const before = await dumpKeyspace(store.client);

    expect(await create({ ...creation, prices })).toEqual([CREATED, creation.pk]);
    expect(await create({ ...creation, pk: newPk(), prices })).toEqual([REPLAYED, creation.pk]);

    expect(await dumpKeyspace(store.client)).toEqual(before);
  });
});
