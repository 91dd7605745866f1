import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import { completeOrder, completeOrdersCommand, DueOrder } from "../../../lib/orders/complete-orders.ts";
import { runCommand } from "../../../lib/redis/commands.ts";
import { dumpKeyspace } from "../../support/keyspace.ts";
import {
  announcements,
  CREATED_AT,
  DUE,
  newPk,
  STREAM_MAX_LENGTH,
  statusOf,
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

const store = useStore();

async function complete(...pks: string[]): Promise<readonly number[]> {
  const [codes] = await runCommand(store.redis, completeOrdersCommand(pks, NOW, STREAM_MAX_LENGTH));
  return codes;
}

describe("completeOrder", () => {
  test("completing is one request to Redis, and one more where the script is not in the cache", async () => {
    const { redis, requests } = await countedRedis(store);

    await completeOrder(redis, { pk: await storeOrder(store.client) }, DUE, STREAM_MAX_LENGTH);
    expect(requests()).toBe(2);
    await completeOrder(redis, { pk: await storeOrder(store.client) }, DUE, STREAM_MAX_LENGTH);
    expect(requests()).toBe(3);
  });

  test.for([{}, { pk: "" }, { pk: "../x" }, { pk: 1 }, null, []])(
    "a schedule's input without an order's pk is refused: %o",
    (input) => {
      expect(DueOrder.safeParse(input).success).toBe(false);
    },
  );
});

describe("complete-orders.lua", () => {
  test("a pending order is completed and announced with all its fields as flat strings", async () => {
    const pk = await storeOrder(store.client);

    expect(await complete(pk)).toEqual([COMPLETED]);

    const order = { pk, product_id: "123", quantity: "2", status: "completed", created_at: CREATED_AT };
    expect(await store.client.hGetAll(`order:${pk}`)).toEqual({ ...order, completed_at: COMPLETED_AT });
    const dump = await dumpKeyspace(store.client);
    expect(dump["orders:pending"]).toBeUndefined();
    const fields = Object.entries({ ...order, completed_at: COMPLETED_AT }).flat();
    expect(dump.order_completed).toMatchObject({ content: { entries: [[expect.any(String), fields]] } });
  });

  test("orders with prices are announced with them, and their neighbours in the batch without", async () => {
    const prices = { price: "19.90", fee: "7.96", total: "47.76" };
    const [plain, priced] = [
      await storeOrder(store.client),
      await storeOrder(store.client, "pending", newPk(), prices),
    ];

    expect(await complete(plain, priced, plain, priced)).toEqual([COMPLETED, COMPLETED, WAS_COMPLETED, WAS_COMPLETED]);

    const entry = { product_id: "123", quantity: "2", status: "completed", created_at: CREATED_AT };
    const entries = (await store.client.xRange("order_completed", "-", "+")) ?? [];
    expect(entries.map(({ message }) => ({ ...message }))).toEqual([
      { pk: plain, ...entry, completed_at: COMPLETED_AT },
      { pk: priced, ...entry, ...prices, completed_at: COMPLETED_AT },
    ]);
    expect(await store.client.hGetAll(`order:${priced}`)).toMatchObject({ ...prices, status: "completed" });
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

  test("an order that does not exist is unknown and is dropped from the pending ones", async () => {
    const pk = newPk();
    await store.client.zAdd("orders:pending", { value: pk, score: DUE });

    expect(await complete(pk)).toEqual([UNKNOWN]);

    expect(await dumpKeyspace(store.client)).toEqual({});
  });

  test("the same call sent again changes nothing", async () => {
    const pks = [...(await storeOrders(store.client, 3)), await storeOrder(store.client, "refunded"), newPk()];
    await complete(...pks);
    const before = await dumpKeyspace(store.client);

    expect(await complete(...pks)).toEqual([WAS_COMPLETED, WAS_COMPLETED, WAS_COMPLETED, WAS_REFUNDED, UNKNOWN]);

    expect(await dumpKeyspace(store.client)).toEqual(before);
  });

  test("of 50 completions at once of one order, one announces it", async () => {
    const pk = await storeOrder(store.client);

    const replies = await Promise.all(Array.from({ length: 50 }, () => complete(pk)));

    expect(replies.flat().toSorted()).toEqual([COMPLETED, ...Array.from({ length: 49 }, () => WAS_COMPLETED)]);
    expect(await announcements(store.client)).toEqual({ [pk]: 1 });
  });

  test("order_completed keeps no more than its bound and a node of entries, the newest ones", async () => {
    const [bound, node] = [200, 100];
    const pks = await storeOrders(store.client, 500);

    await runCommand(store.redis, completeOrdersCommand(pks, NOW, bound));

    const kept = ((await store.client.xRange("order_completed", "-", "+")) ?? []).map(({ message }) => message.pk);
    expect(kept).toEqual(pks.slice(-kept.length));
    expect(kept.length).toBeGreaterThanOrEqual(bound);
    expect(kept.length).toBeLessThan(bound + node);
  });

  test("the default bound keeps a full stream of priced orders under 80 MB, with the longest product ids too", async () => {
    const { completedStreamMaxLength } = z
      .object({ completedStreamMaxLength: z.int() })
      .parse(parse(await readFile(new URL("../../../infra/parameters.yml", import.meta.url), "utf8")).default);
    const order = { product_id: "大".repeat(128), quantity: "2", status: "pending", created_at: CREATED_AT };
    const prices = { price: "19.90", fee: "7.96", total: "47.76" };
    const pks = Array.from({ length: 5_000 }, newPk);
    await Promise.all(pks.map((pk) => store.client.hSet(`order:${pk}`, { pk, ...order, ...prices })));

    await runCommand(store.redis, completeOrdersCommand(pks, NOW, STREAM_MAX_LENGTH));

    const bytes = await store.client.memoryUsage("order_completed", { SAMPLES: 0 });
    expect(((bytes ?? Number.NaN) / pks.length) * completedStreamMaxLength).toBeLessThan(80_000_000);
  });
});

describe("keys of other types", () => {
  const wrongType = { code: "redis_failed", cause: { message: expect.stringMatching(/^WRONGTYPE/) } };

  describe("a key that holds something else", () => {
    test.for(["first", "last"])(
      "in the place of the %s order leaves the others of its batch to complete",
      async (place) => {
        const [good, bad] = [await storeOrder(store.client), newPk()];
        await store.client.set(`order:${bad}`, "other");
        await store.client.zAdd("orders:pending", { value: bad, score: DUE });

        const codes = await (place === "first" ? complete(bad, good) : complete(good, bad));

        expect(codes).toEqual(place === "first" ? [UNKNOWN, COMPLETED] : [COMPLETED, UNKNOWN]);
        expect(await statusOf(store.client, good)).toBe("completed");
        expect(await store.client.get(`order:${bad}`)).toBe("other");
        expect(await store.client.zCard("orders:pending")).toBe(0);
      },
    );

    test("in the place of an order, a hash of thousands of fields, leaves the others of its batch to complete", async () => {
      const [first, bad, last] = [await storeOrder(store.client), await storeOrder(store.client), newPk()];
      await storeOrder(store.client, "pending", last);
      await store.client.hSet(
        `order:${bad}`,
        Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`f${n}`, n])),
      );

      await complete(first, bad, last);

      expect(await statusOf(store.client, last)).toBe("completed");
      expect(await announcements(store.client)).toMatchObject({ [first]: 1, [last]: 1 });
      expect(await store.client.zCard("orders:pending")).toBe(0);
    });

    test("in the place of order_completed has every order stay pending", async () => {
      const pks = [await storeOrder(store.client, "completed"), ...(await storeOrders(store.client, 2))];
      await store.client.del("order_completed");
      await store.client.rPush("order_completed", "other");
      const before = await dumpKeyspace(store.client);

      expect(await complete(...pks)).toEqual([WAS_COMPLETED, FAILED, FAILED]);

      expect(await dumpKeyspace(store.client)).toEqual(before);
    });

    test("in the place of orders:pending is said, and orders are announced once, however often it runs", async () => {
      const pks = await storeOrders(store.client, 2);
      await store.client.del("orders:pending");
      await store.client.rPush("orders:pending", "other");

      await expect(complete(...pks)).rejects.toMatchObject(wrongType);
      await expect(complete(...pks)).rejects.toMatchObject(wrongType);

      expect(await announcements(store.client)).toEqual(Object.fromEntries(pks.map((pk) => [pk, 1])));
      expect(await store.client.lLen("orders:pending")).toBe(1);
    });
  });

  test("an order that cannot be written is not announced, and stays pending until it can", async () => {
    const pks = [await storeOrder(store.client), newPk()];
    const allow = await forbid(store.client, "hset");

    const [codes, errors] = await runCommand(store.redis, completeOrdersCommand(pks, NOW, STREAM_MAX_LENGTH));

    expect([codes, errors]).toEqual([[FAILED, UNKNOWN], [expect.stringContaining("can't run this command")]]);
    expect(await announcements(store.client)).toEqual({});
    await allow();
    expect(await complete(...pks)).toEqual([COMPLETED, UNKNOWN]);
  });

  test("an order that cannot be read stays pending", async () => {
    const pk = await storeOrder(store.client);
    await forbid(store.client, "hmget");

    expect(await complete(pk)).toEqual([FAILED]);

    expect(await store.client.zScore("orders:pending", pk)).toBe(DUE);
  });
});
