import { describe, expect, test } from "vitest";
import { newPk, statusOf, storeOrder } from "../support/orders.ts";
import { leftOver, readRequest, SETTLED_AT, settleRefunds } from "../support/refunds.ts";
import { useStore } from "../support/store.ts";

const REFUNDED = 1;
const DEAD = 3;
const TRIMMED = 5;

const store = useStore();

const deadLetters = () => store.client.xRange("refund_order:dead", "-", "+");

describe("a request becomes a dead letter", () => {
  test("when its order is unknown", async () => {
    const request = await readRequest(store, newPk());

    expect(await settleRefunds(store, [request])).toEqual([DEAD]);

    const letter = { dead_reason: "unknown_order", dead_id: request.id, dead_at: SETTLED_AT, pk: request.pk };
    expect(await deadLetters()).toMatchObject([{ message: letter }]);
    expect(await leftOver(store.client)).toEqual({ entries: 0, pending: 0 });
  });

  test("when its order's key holds something else, which stays as it is", async () => {
    const request = await readRequest(store, newPk());
    await store.client.set(`order:${request.pk}`, "other");

    expect(await settleRefunds(store, [request])).toEqual([DEAD]);

    expect(await store.client.get(`order:${request.pk}`)).toBe("other");
    expect(await deadLetters()).toMatchObject([{ message: { dead_reason: "unknown_order" } }]);
  });

  test("when its order has no status that the service knows", async () => {
    const request = await readRequest(store, await storeOrder(store.client, "lost"));

    expect(await settleRefunds(store, [request])).toEqual([DEAD]);
  });

  test.for(["missing_pk", "malformed_pk"] as const)("when it is refused before: %s", async (reason) => {
    const { id } = await readRequest(store, "whatever");

    expect(await settleRefunds(store, [{ id, reason }])).toEqual([DEAD]);

    expect(await deadLetters()).toMatchObject([{ message: { dead_reason: reason, dead_id: id, pk: "whatever" } }]);
  });
});

describe("a request that was trimmed while it was pending", () => {
  test("still refunds its order", async () => {
    const request = await readRequest(store, await storeOrder(store.client));
    await store.client.xTrim("refund_order", "MAXLEN", 0);

    expect(await settleRefunds(store, [request])).toEqual([REFUNDED]);

    expect(await statusOf(store.client, request.pk)).toBe("refunded");
    expect(await leftOver(store.client)).toEqual({ entries: 0, pending: 0 });
  });

  test("cannot be kept when it is refused, and is pending no longer", async () => {
    const request = await readRequest(store, newPk());
    await store.client.xTrim("refund_order", "MAXLEN", 0);

    expect(await settleRefunds(store, [request])).toEqual([TRIMMED]);

    expect(await deadLetters()).toEqual([]);
    expect(await leftOver(store.client)).toEqual({ entries: 0, pending: 0 });
  });
});
