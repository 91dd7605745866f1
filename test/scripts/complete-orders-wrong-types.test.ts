import { describe, expect, test } from "vitest";
import { completeOrdersCommand } from "../../lib/orders/complete-orders.ts";
import { runCommand } from "../../lib/redis/commands.ts";
import { dumpKeyspace } from "../support/keyspace.ts";
import { announcements, DUE, newPk, STREAM_MAX_LENGTH, statusOf, storeOrder, storeOrders } from "../support/orders.ts";
import { forbid } from "../support/redis.ts";
import { useStore } from "../support/store.ts";

const COMPLETED = 1;
const WAS_COMPLETED = 2;
const UNKNOWN = 4;
const FAILED = 5;
const NOW = DUE + 300;

const store = useStore();

async function complete(...pks: string[]): Promise<readonly number[]> {
  const [codes] = await runCommand(store.redis, completeOrdersCommand(pks, NOW, STREAM_MAX_LENGTH));
  return codes;
}

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
    await store.client.hSet(`order:${bad}`, Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`f${n}`, n])));

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
