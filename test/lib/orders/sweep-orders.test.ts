import { describe, expect, test } from "vitest";
import * as z from "zod";
import completedStreamLagLua from "../../../lib/orders/completed-stream-lag.lua" with { type: "text" };
import { SWEEP_GRACE_MS } from "../../../lib/orders/completion-delay.ts";
import { sweepOrders } from "../../../lib/orders/sweep-orders.ts";
import { runCommand, script, scriptCommand } from "../../../lib/redis/commands.ts";
import { dumpKeyspace } from "../../support/keyspace.ts";
import {
  announcements,
  DUE,
  newPk,
  STREAM_MAX_LENGTH,
  statusOf,
  storeOrder,
  storeOrders,
} from "../../support/orders.ts";
import { countedRedis, useStore } from "../../support/store.ts";

const BATCH_SIZE = 200;
const OVERDUE = DUE + SWEEP_GRACE_MS + 1;
const PLENTY = () => 50_000;

const store = useStore();

const sweep = (redis = store.redis, timeLeft = PLENTY) =>
  sweepOrders(redis, () => OVERDUE, STREAM_MAX_LENGTH, timeLeft);
const stillPending = () => store.client.zCard("orders:pending");

test.for([0, 1, 3])("a sweep of %d batches takes one request to Redis more than the batches", async (batches) => {
  await storeOrder(store.client);
  await sweep();
  await storeOrders(store.client, batches * BATCH_SIZE);
  const { redis, requests } = await countedRedis(store);

  await sweep(redis);

  expect(requests()).toBe(batches + 1);
  expect(await stillPending()).toBe(0);
});

test("an order is swept once it is overdue by the grace, not before", async () => {
  const pk = await storeOrder(store.client);

  await sweepOrders(store.redis, () => DUE + SWEEP_GRACE_MS - 1, STREAM_MAX_LENGTH, PLENTY);
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

test("a pk that no reply can carry, of bytes that are no text, does not keep the sweep busy until its time is out", async () => {
  const pk = await storeOrder(store.client);
  await store.client.sendCommand(["ZADD", "orders:pending", "0", Buffer.from([0xff, 0xfe])]);
  let asked = 0;

  await sweep(store.redis, () => (++asked < 20 ? 50_000 : 0));

  expect(await statusOf(store.client, pk)).toBe("completed");
  expect(asked).toBeLessThan(20);
});

test("a sweep that is short of time stops with its batch completed, the oldest orders, and the next goes on", async () => {
  await storeOrders(store.client, 2 * BATCH_SIZE);
  const oldest = await storeOrder(store.client);
  await store.client.zAdd("orders:pending", { value: oldest, score: DUE - 1 });
  let calls = 0;

  await sweep(store.redis, () => (++calls === 1 ? 50_000 : 4_000));
  expect(await stillPending()).toBe(BATCH_SIZE + 1);
  expect(await statusOf(store.client, oldest)).toBe("completed");

  await sweep();
  expect(await stillPending()).toBe(0);
});

test("a script cache that is emptied before every request costs nothing but requests", async () => {
  const pks = await storeOrders(store.client, 2 * BATCH_SIZE + 1);
  const { redis } = await countedRedis(store, () => store.client.scriptFlush());

  await sweep(redis);

  expect(await stillPending()).toBe(0);
  expect(await announcements(store.client)).toEqual(Object.fromEntries(pks.map((pk) => [pk, 1])));
});

describe("the lag of consumers", () => {
  const STREAM = "order_completed";

  const lag = () => runCommand(store.redis, scriptCommand(script(completedStreamLagLua), z.int(), [STREAM], []));
  const addEntries = (count: number) =>
    Promise.all(Array.from({ length: count }, () => store.client.xAdd(STREAM, "*", { pk: "1" })));
  const read = (group: string, count: number) =>
    store.client.xReadGroup(group, "consumer", { key: STREAM, id: ">" }, { COUNT: count });

  test("a stream that is missing is made, without a group and once", async () => {
    expect(await lag()).toBe(0);
    const made = await dumpKeyspace(store.client);
    expect(made[STREAM]?.content).toEqual({ entries: [], groups: [] });

    expect(await lag()).toBe(0);

    expect(await dumpKeyspace(store.client)).toEqual(made);
  });

  test("the lag is that of the group that has read the least", async () => {
    await addEntries(10);
    for (const group of ["a-fast", "b-slow", "c-fast"]) await store.client.xGroupCreate(STREAM, group, "0");
    await read("a-fast", 9);
    await read("b-slow", 3);
    await read("c-fast", 9);

    expect(await lag()).toBe(7);
  });

  test("entries that were trimmed before a group read them are no lag", async () => {
    await store.client.xGroupCreate(STREAM, "group", "0", { MKSTREAM: true });
    await addEntries(10);
    await store.client.xTrim(STREAM, "MAXLEN", 4);

    expect(await lag()).toBe(4);
  });

  test("a lag that Redis cannot tell counts as the whole stream", async () => {
    const ids = await addEntries(10);
    await store.client.xGroupCreate(STREAM, "group", ids[4] ?? "");

    expect(await lag()).toBe(10);
  });
});
