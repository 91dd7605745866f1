import { expect, test } from "vitest";
import { RECLAIM, RECLAIM_IDLE_MS } from "../../../lib/refunds/drain-refunds.ts";
import { readTimeouts } from "../../support/bundle.ts";
import { newPk, requestRefund, requestRefunds } from "../../support/orders.ts";
import { addRequest, crashPoller, GROUP, pendingIds, readBatch } from "../../support/refunds.ts";
import { useStore } from "../../support/store.ts";

const DONE = "";
const LAST_PK = newPk();

const store = useStore();

test.for<[string, (string | Buffer)[], string]>([
  ["of 27 characters is none of an order", ["pk", "A".repeat(27)], ""],
  ["of 26 bytes that are no text stays in Redis", ["pk", Buffer.alloc(26, 0xff)], ""],
  [
    "after 4,999 other fields is found",
    [...Array.from({ length: 4_999 }, () => ["f", "v"]).flat(), "pk", LAST_PK],
    LAST_PK,
  ],
])("a pk %s", async ([, fields, pk]) => {
  const id = await addRequest(store.client, fields);

  expect(await readBatch(store)).toEqual([DONE, [[id, pk]], []]);
});

test.for([RECLAIM, DONE])("a stream that is something else is an error, cursor '%s'", async (cursor) => {
  await store.client.set("refund_order", "other");

  await expect(readBatch(store, cursor)).rejects.toMatchObject({
    code: "redis_failed",
    cause: { message: expect.stringMatching(/^WRONGTYPE/) },
  });
});

test("what a poller holds is left alone for as long as it can run", async () => {
  await requestRefund(store.client, newPk());
  await crashPoller(store.client, (await readTimeouts())("drainRefunds"));

  expect(await readBatch(store)).toEqual([DONE, [], []]);
});

test("what a crashed poller left is found behind thousands of entries that a live poller holds", async () => {
  const held = await requestRefunds(store.client, Array.from({ length: 5_000 }, newPk));
  await crashPoller(store.client, 0, "live");
  const id = await requestRefund(store.client, newPk());
  await store.client.xReadGroup(GROUP, "dead", { key: "refund_order", id: ">" });
  await store.client.sendCommand([
    ...["XCLAIM", "refund_order", GROUP, "dead", "0", id, "IDLE", String(RECLAIM_IDLE_MS), "JUSTID"],
  ]);

  const [, entries] = await readBatch(store);

  expect(entries.map(([found]) => found)).toEqual([id]);
  expect(await pendingIds(store.client)).toHaveLength(held.length + 1);
});
