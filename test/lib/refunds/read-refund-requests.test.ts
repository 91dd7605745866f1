import { describe, expect, test } from "vitest";
import { RECLAIM_IDLE_MS, REFUND_BATCH_SIZE } from "../../../lib/refunds/refund-requests.ts";
import { dumpKeyspace } from "../../support/keyspace.ts";
import { newPk, requestRefund, requestRefunds } from "../../support/orders.ts";
import { addRequest, crashPoller, GROUP, pendingIds, readBatch, readRefunds } from "../../support/refunds.ts";
import { useStore } from "../../support/store.ts";

const BEGIN = "0-0";
const DONE = "";

const store = useStore();

describe("new requests", () => {
  describe("makes the group, which reads the stream from its beginning,", () => {
    test("where there is no stream", async () => {
      expect(await readRefunds(store)).toEqual([DONE, []]);

      const dump = await dumpKeyspace(store.client);
      expect(dump).toEqual({
        refund_order: {
          type: "stream",
          expires: false,
          content: { entries: [], groups: [{ name: GROUP, lastDelivered: "0-0", pending: [] }] },
        },
      });
    });

    test.for([BEGIN, DONE])("where the stream has requests but no group, cursor '%s'", async (cursor) => {
      const pk = newPk();
      const id = await requestRefund(store.client, pk);

      expect(await readRefunds(store, cursor)).toEqual([DONE, [[id, pk]]]);
    });

    test.for([BEGIN, DONE])("where the stream was deleted with its group, cursor '%s'", async (cursor) => {
      await requestRefund(store.client, newPk());
      await readRefunds(store);
      await store.client.del("refund_order");
      const pk = newPk();
      const id = await requestRefund(store.client, pk);

      expect(await readRefunds(store, cursor)).toEqual([DONE, [[id, pk]]]);
    });
  });

  test("run twice, the second run hands out the batch after, and nothing when there is none", async () => {
    const pks = Array.from({ length: REFUND_BATCH_SIZE + 1 }, newPk);
    const ids = await requestRefunds(store.client, pks);
    const requests = ids.map((id, index) => [id, pks[index]]);

    expect(await readRefunds(store)).toEqual([DONE, requests.slice(0, REFUND_BATCH_SIZE)]);
    expect(await readRefunds(store)).toEqual([DONE, requests.slice(REFUND_BATCH_SIZE)]);
    const before = await dumpKeyspace(store.client);
    expect(await readRefunds(store)).toEqual([DONE, []]);

    expect(await dumpKeyspace(store.client)).toEqual(before);
    expect(await pendingIds(store.client)).toEqual(ids);
  });

  describe("the pk of a request", () => {
    const LAST_PK = newPk();

    test.for<[string, (string | Buffer)[], string | null]>([
      ["that has none is null", ["order", "1"], null],
      ["that is empty is empty", ["pk", ""], ""],
      ["of 27 characters is none of an order", ["pk", "A".repeat(27)], ""],
      ["of a megabyte stays in Redis", ["pk", "A".repeat(1_000_000)], ""],
      [
        "after 4,999 other fields is found",
        [...Array.from({ length: 4_999 }, () => ["f", "v"]).flat(), "pk", LAST_PK],
        LAST_PK,
      ],
      ["that it has twice is the last, as in a map", ["pk", newPk(), "pk", LAST_PK], LAST_PK],
      ["of 26 bytes that are no text stays in Redis", ["pk", Buffer.alloc(26, 0xff)], ""],
    ])("%s", async ([, fields, pk]) => {
      const id = await addRequest(store.client, fields);

      expect(await readRefunds(store)).toEqual([DONE, [[id, pk]]]);
    });
  });

  test.for([BEGIN, DONE])(
    "a stream that is something else is an error and stays as it is, cursor '%s'",
    async (cursor) => {
      await store.client.set("refund_order", "other");
      const before = await dumpKeyspace(store.client);

      await expect(readRefunds(store, cursor)).rejects.toMatchObject({
        code: "redis_failed",
        cause: { message: expect.stringMatching(/^WRONGTYPE/) },
      });

      expect(await dumpKeyspace(store.client)).toEqual(before);
    },
  );

  test("of 20 readers at once each hands out other requests, and none is lost", async () => {
    const ids = await requestRefunds(store.client, Array.from({ length: 1_000 }, newPk));

    const batches = await Promise.all(Array.from({ length: 20 }, () => readRefunds(store)));

    const handedOut = batches.flatMap(([, entries]) => entries.map(([id]) => id));
    expect(handedOut.toSorted()).toEqual(ids.toSorted());
  });
});

describe("requests that another run left pending", () => {
  /** The time-out of the function that polls, in `serverless.yml`. */
  const POLLER_TIMEOUT_MS = 50_000;
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
});
