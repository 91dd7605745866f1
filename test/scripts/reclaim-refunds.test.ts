import { describe, expect, test } from "vitest";
import { RECLAIM_IDLE_MS, REFUND_BATCH_SIZE } from "../../lib/refunds/refund-requests.ts";
import { newPk, requestRefund, requestRefunds } from "../support/orders.ts";
import { crashPoller, GROUP, pendingIds, readBatch, readRefunds } from "../support/refunds.ts";
import { useStore } from "../support/store.ts";

/** The time-out of the function that polls, in `serverless.yml`. */
const POLLER_TIMEOUT_MS = 50_000;
const DONE = "";

const store = useStore();

describe("what a crashed poller left pending", () => {
  test.for(["drain-refunds", "another-poller"])("is handed out again, consumer %s", async (consumer) => {
    const pk = newPk();
    const id = await requestRefund(store.client, pk);
    await crashPoller(store.client, RECLAIM_IDLE_MS, consumer);

    expect(await readRefunds(store)).toEqual([DONE, [[id, pk]]]);
    expect(await store.client.xPendingRange("refund_order", GROUP, "-", "+", 10)).toMatchObject([
      { id, consumer: "drain-refunds" },
    ]);
  });

  test("is left alone for as long as a poller can run", async () => {
    await requestRefund(store.client, newPk());
    await crashPoller(store.client, POLLER_TIMEOUT_MS);

    expect(await readRefunds(store)).toEqual([DONE, []]);
  });

  test("is not handed out again by the run after: its time begins anew", async () => {
    const id = await requestRefund(store.client, newPk());
    await crashPoller(store.client);

    expect((await readRefunds(store))[1]).toHaveLength(1);
    expect(await readRefunds(store)).toEqual([DONE, []]);
    expect(await pendingIds(store.client)).toEqual([id]);
  });

  test("comes in batches before new requests, each next one from the cursor", async () => {
    const left = await requestRefunds(store.client, Array.from({ length: REFUND_BATCH_SIZE + 50 }, newPk));
    await crashPoller(store.client);
    const fresh = await requestRefund(store.client, newPk());
    const ids = (entries: readonly (readonly unknown[])[]) => entries.map(([id]) => id);

    const [cursor, first] = await readRefunds(store);
    const [next, second] = await readRefunds(store, cursor);
    const [end, third] = await readRefunds(store, next);

    expect([ids(first), cursor]).toEqual([left.slice(0, REFUND_BATCH_SIZE), left[REFUND_BATCH_SIZE]]);
    expect([ids(second), next]).toEqual([left.slice(REFUND_BATCH_SIZE), DONE]);
    expect([ids(third), end]).toEqual([[fresh], DONE]);
  });

  test("is found behind thousands of entries that a live poller holds", async () => {
    const held = await requestRefunds(store.client, Array.from({ length: 5_000 }, newPk));
    await crashPoller(store.client, 0, "live");
    const id = await requestRefund(store.client, newPk());
    await store.client.xReadGroup(GROUP, "dead", { key: "refund_order", id: ">" });
    await store.client.sendCommand([
      ...["XCLAIM", "refund_order", GROUP, "dead", "0", id, "IDLE", String(RECLAIM_IDLE_MS), "JUSTID"],
    ]);

    const [, entries] = await readRefunds(store);

    expect(entries.map(([found]) => found)).toEqual([id]);
    expect(await pendingIds(store.client)).toHaveLength(held.length + 1);
  });

  test("and was trimmed from the stream is pending no longer, and new requests still come", async () => {
    const lost = await requestRefunds(store.client, [newPk(), newPk()]);
    await crashPoller(store.client);
    await store.client.xTrim("refund_order", "MAXLEN", 0);
    const id = await requestRefund(store.client, newPk());

    const [cursor, entries, trimmed] = await readBatch(store);

    expect([cursor, entries.map(([found]) => found), trimmed]).toEqual([DONE, [id], lost]);
    expect(await pendingIds(store.client)).toEqual([id]);
  });
});
