import { describe, expect, test } from "vitest";
import type { RefundRequest } from "../../lib/refunds/refund-requests.ts";
import { dumpKeyspace } from "../support/keyspace.ts";
import { newPk, requestRefunds, statusOf, storeOrder, storeOrders } from "../support/orders.ts";
import { forbid } from "../support/redis.ts";
import {
  GROUP,
  leftOver,
  pendingIds,
  readRefunds,
  readRequest,
  SETTLED_AT,
  settleRefunds,
} from "../support/refunds.ts";
import { useStore } from "../support/store.ts";

const REFUNDED = 1;
const WAS_REFUNDED = 2;
const DEAD = 3;
const SETTLED_ELSEWHERE = 4;
const FAILED = 6;

const store = useStore();

test.for(["pending", "completed"])("a %s order is refunded and owes no completion", async (status) => {
  const pk = await storeOrder(store.client, status);
  const request = await readRequest(store, pk);

  expect(await settleRefunds(store, [request])).toEqual([REFUNDED]);

  expect(await store.client.hGetAll(`order:${pk}`)).toMatchObject({ status: "refunded", refunded_at: SETTLED_AT });
  expect(await store.client.exists(["orders:pending", "refund_order:dead"])).toBe(0);
  expect(await leftOver(store.client)).toEqual({ entries: 0, pending: 0 });
});

test("a refunded order is settled quietly and stays as it is", async () => {
  const pk = await storeOrder(store.client, "refunded");
  const request = await readRequest(store, pk);
  const { refund_order: _, ...before } = await dumpKeyspace(store.client);

  expect(await settleRefunds(store, [request])).toEqual([WAS_REFUNDED]);

  const { refund_order: __, ...after } = await dumpKeyspace(store.client);
  expect(after).toEqual(before);
  expect(await leftOver(store.client)).toEqual({ entries: 0, pending: 0 });
});

test("settling again changes nothing", async () => {
  const pks = [...(await storeOrders(store.client, 3)), await storeOrder(store.client, "refunded"), newPk()];
  const ids = await requestRefunds(store.client, pks);
  await readRefunds(store);
  const requests = ids.map((id, index) => ({ id, pk: pks[index] ?? "" }));
  await settleRefunds(store, requests);
  const before = await dumpKeyspace(store.client);

  expect(await settleRefunds(store, requests)).toEqual(requests.map(() => SETTLED_ELSEWHERE));

  expect(await dumpKeyspace(store.client)).toEqual(before);
});

test("each pk meets its own order in a batch where some requests have none", async () => {
  const [first, second] = [await readRequest(store, await storeOrder(store.client)), await readRequest(store, "none")];
  const third = await readRequest(store, await storeOrder(store.client, "refunded"));
  const batch: RefundRequest[] = [{ id: second.id, reason: "missing_pk" }, third, first];

  expect(await settleRefunds(store, batch)).toEqual([DEAD, WAS_REFUNDED, REFUNDED]);

  expect(await statusOf(store.client, first.pk)).toBe("refunded");
});

test("two requests for one order in a batch refund it once", async () => {
  const pk = await storeOrder(store.client);

  expect(await settleRefunds(store, [await readRequest(store, pk), await readRequest(store, pk)])).toEqual([
    REFUNDED,
    WAS_REFUNDED,
  ]);
});

describe("a request whose effect fails stays pending, and the rest of its batch is settled:", () => {
  test("a dead letter on a stream that takes no more entries", async () => {
    const [bad, good] = [await readRequest(store, newPk()), await readRequest(store, await storeOrder(store.client))];
    // The highest id there is: every further XADD is refused, as Upstash does at a full record.
    await store.client.xAdd("refund_order:dead", "18446744073709551615-18446744073709551615", { x: "1" });

    expect(await settleRefunds(store, [bad, good])).toEqual([FAILED, REFUNDED]);

    expect(await statusOf(store.client, good.pk)).toBe("refunded");
    expect(await pendingIds(store.client)).toEqual([bad.id]);
    // and once there is room
    await store.client.del("refund_order:dead");
    expect(await settleRefunds(store, [bad, good])).toEqual([DEAD, SETTLED_ELSEWHERE]);
    expect(await leftOver(store.client)).toEqual({ entries: 0, pending: 0 });
  });

  test("an order that cannot be written", async () => {
    const good = await readRequest(store, await storeOrder(store.client));
    const bad = await readRequest(store, newPk());
    const before = await dumpKeyspace(store.client);
    await forbid(store.client, "hset");

    expect(await settleRefunds(store, [good, bad])).toEqual([FAILED, DEAD]);

    const after = await dumpKeyspace(store.client);
    expect(after[`order:${good.pk}`]).toEqual(before[`order:${good.pk}`]);
    expect(after["orders:pending"]).toEqual(before["orders:pending"]);
    expect(await pendingIds(store.client)).toEqual([good.id]);
  });

  test("an order that cannot be read", async () => {
    const request = await readRequest(store, await storeOrder(store.client));
    await forbid(store.client, "hget");

    expect(await settleRefunds(store, [request])).toEqual([FAILED]);

    expect(await pendingIds(store.client)).toEqual([request.id]);
    expect(await store.client.xLen("refund_order:dead")).toBe(0);
  });

  test("an order that is refunded but cannot be taken from orders:pending, until the next run", async () => {
    const request = await readRequest(store, await storeOrder(store.client));
    await store.client.del("orders:pending");
    await store.client.rPush("orders:pending", "other");

    expect(await settleRefunds(store, [request])).toEqual([FAILED]);
    expect(await pendingIds(store.client)).toEqual([request.id]);

    expect(await settleRefunds(store, [request])).toEqual([WAS_REFUNDED]);
    expect(await leftOver(store.client)).toEqual({ entries: 0, pending: 0 });
  });
});

test("a list in the place of refund_order has nothing written", async () => {
  const requests = [await readRequest(store, await storeOrder(store.client)), await readRequest(store, newPk())];
  await store.client.del("refund_order");
  await store.client.rPush("refund_order", "other");
  const before = await dumpKeyspace(store.client);

  await expect(settleRefunds(store, requests)).rejects.toMatchObject({
    code: "redis_failed",
    cause: { message: expect.stringMatching(/^WRONGTYPE/) },
  });

  expect(await dumpKeyspace(store.client)).toEqual(before);
});

test("a request of a group that is gone is left alone", async () => {
  const request = await readRequest(store, await storeOrder(store.client));
  await store.client.xGroupDestroy("refund_order", GROUP);
  const before = await dumpKeyspace(store.client);

  expect(await settleRefunds(store, [request])).toEqual([SETTLED_ELSEWHERE]);

  expect(await dumpKeyspace(store.client)).toEqual(before);
});

test("of 20 runs at once that settle one batch, one settles each request", async () => {
  const pks = [...(await storeOrders(store.client, 10)), ...Array.from({ length: 10 }, newPk)];
  const ids = await requestRefunds(store.client, pks);
  await readRefunds(store);
  const requests = ids.map((id, index) => ({ id, pk: pks[index] ?? "" }));

  const replies = await Promise.all(Array.from({ length: 20 }, () => settleRefunds(store, requests)));

  const count = (code: number) => replies.flat().filter((found) => found === code).length;
  expect([count(REFUNDED), count(DEAD), count(SETTLED_ELSEWHERE)]).toEqual([10, 10, 19 * 20]);
  expect(await store.client.xLen("refund_order:dead")).toBe(10);
});
