import { expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { readParametersYml } from "../../../infra/parameters.ts";
import { completeOrder, completeOrdersCommand } from "../../../lib/orders/complete-orders.ts";
import { runCommand } from "../../../lib/redis/commands.ts";
import { dumpKeyspace } from "../../support/keyspace.ts";
import {
  announcements,
  CREATED_AT,
  DUE,
  newPk,
  STREAM_MAX_LENGTH,
  storeOrder,
  storeOrders,
} from "../../support/orders.ts";
import { forbid } from "../../support/redis.ts";
import { countedRedis, useStore } from "../../support/store.ts";

const COMPLETED = 1;
const WAS_COMPLETED = 2;
const WAS_REFUNDED = 3;
const UNKNOWN = 4;
const FAILED = 5;
const NOW = DUE + 300;
const COMPLETED_AT = "2026-11-23T06:00:05.300Z";
const PRICES = { price: "19.90", fee: "7.96", total: "47.76" };

const store = useStore();

async function complete(...pks: string[]): Promise<readonly number[]> {
  const [codes] = await runCommand(store.redis, completeOrdersCommand(pks, NOW, STREAM_MAX_LENGTH));
  return codes;
}

test("completing is one request to Redis, and one more where the script is not in the cache", async () => {
  const { redis, requests } = await countedRedis(store);

  await completeOrder({ redis, streamMaxLength: STREAM_MAX_LENGTH }, { pk: await storeOrder(store.client) }, DUE);
  expect(requests()).toBe(2);
  await completeOrder({ redis, streamMaxLength: STREAM_MAX_LENGTH }, { pk: await storeOrder(store.client) }, DUE);
  expect(requests()).toBe(3);
});

test("orders with prices are announced with them, and their neighbours in the batch without", async () => {
  const [plain, priced] = [await storeOrder(store.client), await storeOrder(store.client, "pending", newPk(), PRICES)];

  expect(await complete(plain, priced, plain, priced)).toEqual([COMPLETED, COMPLETED, WAS_COMPLETED, WAS_COMPLETED]);

  const common = { product_id: "123", quantity: "2", status: "completed", created_at: CREATED_AT };
  const completed = [
    { pk: plain, ...common, completed_at: COMPLETED_AT },
    { pk: priced, ...common, ...PRICES, completed_at: COMPLETED_AT },
  ];
  const entries = (await store.client.xRange("order_completed", "-", "+")) ?? [];
  expect(entries.map(({ message }) => ({ ...message }))).toEqual(completed);
  for (const order of completed) expect({ ...(await store.client.hGetAll(`order:${order.pk}`)) }).toEqual(order);
  expect(await store.client.exists("orders:pending")).toBe(0);
});

test.for([
  ["completed", WAS_COMPLETED],
  ["refunded", WAS_REFUNDED],
  ["lost", UNKNOWN],
] as const)("a %s order stays as it is and owes no completion afterwards", async ([status, code]) => {
  const pk = await storeOrder(store.client, status);
  const before = await dumpKeyspace(store.client);
  await store.client.zAdd("orders:pending", { value: pk, score: DUE });

  expect(await complete(pk)).toEqual([code]);

  expect(await dumpKeyspace(store.client)).toEqual(before);
});

test("without a sweep order_completed exceeds its bound by a quarter and a node of entries at most, and keeps the newest ones", async () => {
  const [bound, node] = [200, 50 + 100];
  const pks = await storeOrders(store.client, 500);

  await runCommand(store.redis, completeOrdersCommand(pks, NOW, bound));

  const kept = ((await store.client.xRange("order_completed", "-", "+")) ?? []).map(({ message }) => message.pk);
  expect(kept).toEqual(pks.slice(-kept.length));
  expect(kept.length).toBeGreaterThanOrEqual(bound);
  expect(kept.length).toBeLessThan(bound + node);
});

test("the default bound keeps a full stream of priced orders under 100 MB without a sweep, with the longest product ids too", async () => {
  const { completedStreamMaxLength } = z
    .object({ completedStreamMaxLength: z.int() })
    .parse(readParametersYml().default);
  const order = { product_id: "大".repeat(128), quantity: "2", status: "pending", created_at: CREATED_AT };
  let entries = 0;
  for (; entries < 5_000; entries += 250) {
    const pks = Array.from({ length: 250 }, newPk);
    await Promise.all(pks.map((pk) => store.client.hSet(`order:${pk}`, { pk, ...order, ...PRICES })));
    await complete(...pks);
  }

  const bytes = await store.client.memoryUsage("order_completed", { SAMPLES: 0 });
  expect(((bytes ?? Number.NaN) / entries) * completedStreamMaxLength * 1.25).toBeLessThan(100_000_000);
});

test("where orders:pending is something else, that is an error, and orders are announced once, however often it runs", async () => {
  const pks = await storeOrders(store.client, 2);
  await store.client.del("orders:pending");
  await store.client.rPush("orders:pending", "other");

  for (const _ of [1, 2]) {
    await expect(complete(...pks)).rejects.toMatchObject({
      code: "redis_failed",
      cause: { message: expect.stringMatching(/^WRONGTYPE/) },
    });
  }

  expect(await announcements(store.client)).toEqual(Object.fromEntries(pks.map((pk) => [pk, 1])));
  expect(await store.client.lLen("orders:pending")).toBe(1);
});

test("an order that cannot be read stays pending", async () => {
  const pk = await storeOrder(store.client);
  await forbid(store.client, "hmget");

  expect(await complete(pk)).toEqual([FAILED]);

  expect(await store.client.zScore("orders:pending", pk)).toBe(DUE);
});

test("where the server has become a replica, the request is sent again, and no order counts as failed", async () => {
  const [pk = "", first] = await storeOrders(store.client, 2);
  await complete(first ?? "");
  const replicate = (...source: string[]) => store.client.sendCommand(["REPLICAOF", ...source]);
  onTestFinished(async () => void (await replicate("NO", "ONE")));
  await replicate("127.0.0.1", "1");
  const { redis, requests } = await countedRedis(store, async (number) => {
    if (number === 2) await replicate("NO", "ONE");
  });

  await completeOrder({ redis, streamMaxLength: STREAM_MAX_LENGTH }, { pk }, NOW);

  expect(requests()).toBe(2);
  expect(await announcements(store.client)).toEqual({ [pk]: 1, [first ?? ""]: 1 });
});
