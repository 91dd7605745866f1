import { expect, test } from "vitest";
import type { RefundRequest } from "../../lib/refunds/read-refunds.ts";
import { dumpKeyspace } from "../support/keyspace.ts";
import { newPk, requestRefunds, statusOf, storeOrder, storeOrders } from "../support/orders.ts";
import { GROUP, leftOver, readRefunds, readRequest, SETTLED_AT, settleRefunds } from "../support/refunds.ts";
import { useStore } from "../support/store.ts";

const REFUNDED = 1;
const WAS_REFUNDED = 2;
const DEAD = 3;
const SETTLED_ELSEWHERE = 4;

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
  const batch: RefundRequest[] = [{ id: second.id, refusal: "missing_pk" }, third, first];

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

test.for(["orders:pending", "refund_order:dead", "refund_order"])(
  "a list in the place of %s has nothing written",
  async (key) => {
    const requests = [await readRequest(store, await storeOrder(store.client)), await readRequest(store, newPk())];
    await store.client.del(key);
    await store.client.rPush(key, "other");
    const before = await dumpKeyspace(store.client);

    await expect(settleRefunds(store, requests)).rejects.toMatchObject({
      code: "redis_failed",
      cause: { message: expect.stringMatching(/^WRONGTYPE/) },
    });

    expect(await dumpKeyspace(store.client)).toEqual(before);
  },
);

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
