import { RESP_TYPES } from "redis";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { refundBatch, settleRefundsCommand } from "../../../lib/refunds/drain-refunds.ts";
import { newPk, statusOf, storeOrder } from "../../support/orders.ts";
import { forbid } from "../../support/redis.ts";
import { addRequest, leftOver, pendingIds, readBatch, SETTLED_AT, settleRefunds } from "../../support/refunds.ts";
import { useStore } from "../../support/store.ts";

const REFUNDED = 1;
const WAS_REFUNDED = 2;
const DEAD = 3;
const SETTLED_ELSEWHERE = 4;
const TRIMMED = 5;
const FAILED = 6;

const NOTHING_LEFT = { entries: 0, pending: 0 };

const store = useStore();

/** Requests, one of an order and one of none, that a poller has read. */
async function readTwoRequests() {
  const pks = [await storeOrder(store.client), newPk()];
  const ids = [];
  for (const pk of pks) ids.push(await addRequest(store.client, ["pk", pk]));
  const { requests } = refundBatch(await readBatch(store));
  return { requests, ids, pk: pks[0] ?? "" };
}

test("a reply without a code for each request is invalid", () => {
  const { reply } = settleRefundsCommand(
    [1, 2].map((id) => ({ id: `${id}-0`, pk: newPk() })),
    0,
  );

  expect(z.safeParse(reply, [[1, 1], []]).success).toBe(true);
  expect(z.safeParse(reply, [[1], []]).success).toBe(false);
});

test.for<[string, number[], number[]]>([
  ["hget", [FAILED, FAILED], [REFUNDED, DEAD]],
  ["hset", [FAILED, DEAD], [REFUNDED, SETTLED_ELSEWHERE]],
  ["xadd", [REFUNDED, FAILED], [SETTLED_ELSEWHERE, DEAD]],
])(
  "while Redis refuses %s, a request that needs it stays pending, and the rest is settled",
  async ([command, codes, codesAfterwards]) => {
    const { requests, ids, pk } = await readTwoRequests();
    const allow = await forbid(store.client, command);

    expect(await settleRefunds(store, requests)).toEqual(codes);

    await allow();
    expect(await pendingIds(store.client)).toEqual(ids.filter((_, index) => codes[index] === FAILED));
    expect(await statusOf(store.client, pk)).toBe(codes[0] === FAILED ? "pending" : "refunded");
    expect(await settleRefunds(store, requests)).toEqual(codesAfterwards);
    expect(await store.client.exists("orders:pending")).toBe(0);
    expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
  },
);

test("an order that is refunded but cannot be taken from orders:pending is settled by the next run", async () => {
  const { requests, ids } = await readTwoRequests();
  await store.client.del("orders:pending");
  await store.client.rPush("orders:pending", "other");

  expect(await settleRefunds(store, requests)).toEqual([FAILED, DEAD]);
  expect(await pendingIds(store.client)).toEqual(ids.slice(0, 1));

  expect(await settleRefunds(store, requests)).toEqual([WAS_REFUNDED, SETTLED_ELSEWHERE]);
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
});

test("a request that was trimmed while it was pending still refunds its order, but cannot be kept if refused", async () => {
  const { requests, pk } = await readTwoRequests();
  await store.client.xTrim("refund_order", "MAXLEN", 0);

  expect(await settleRefunds(store, requests)).toEqual([REFUNDED, TRIMMED]);

  expect(await statusOf(store.client, pk)).toBe("refunded");
  expect(await store.client.xLen("refund_order:dead")).toBe(0);
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
});

describe("dead letters", () => {
  const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

  const Entries = z.array(z.tuple([z.instanceof(Buffer), z.array(z.instanceof(Buffer))]));

  /** Reads and settles the request of these fields, and returns its own fields in its dead letter. */
  async function deadLetterOf(fields: readonly (string | Buffer)[]): Promise<Buffer[]> {
    const id = await addRequest(store.client, fields);
    await settleRefunds(store, refundBatch(await readBatch(store)).requests);
    const raw = store.client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    const letters = Entries.parse(await raw.sendCommand(["XRANGE", "refund_order:dead", "-", "+"]));
    expect(letters).toHaveLength(1);
    const [, kept = []] = letters[0] ?? [];
    const reason = expect.stringMatching(/^(missing|malformed)_pk$/);
    expect(kept.slice(0, 6).map(String)).toEqual(["dead_reason", reason, "dead_id", id, "dead_at", SETTLED_AT]);
    return kept.slice(6);
  }

  test.for<[string, (string | Buffer)[]]>([
    ["a field name of all 256 bytes", [ALL_BYTES, "value"]],
    ["an empty name and value", ["", ""]],
    ["fields with a dead letter's names", ["dead_reason", "mine", "dead_id", "mine", "dead_at", "mine"]],
    ["4 KB in all", ["pk", "17", "note", Buffer.alloc(4_096 - "pk17note".length - 4, ALL_BYTES)]],
  ])("a dead letter keeps a request of %s whole", async ([, fields]) => {
    expect(await deadLetterOf(fields)).toEqual(fields.map((value) => Buffer.from(value)));
  });

  const bytesOf = (values: readonly (string | Buffer)[]) =>
    values.reduce((bytes, value) => bytes + Buffer.from(value).length + 1, 0);

  describe("of a request above 4 KB a dead letter keeps", () => {
    test("that it was cut, the pk, and the other fields in their order, the last one cut", async () => {
      const fields = ["a", "1", "b", "x".repeat(5_000), "c", "3", "pk", "17"];

      const kept = (await deadLetterOf(fields)).map(String);

      expect(kept.slice(0, -1)).toEqual(["dead_truncated", String(bytesOf(fields)), "pk", "17", "a", "1", "b"]);
      expect(kept.at(-1)).toMatch(/^x+$/);
      expect(bytesOf(kept)).toBe(4_096);
    });

    test("the fields after one whose name does not fit", async () => {
      const kept = await deadLetterOf(["pk", "17", "x".repeat(5_000), "", "ref", "order-77"]);

      expect(kept.slice(2).map(String)).toEqual(["pk", "17", "ref", "order-77"]);
    });

    test.for<[string, (string | Buffer)[]]>([
      ["a pk of a megabyte", ["pk", Buffer.alloc(1_000_000, ALL_BYTES)]],
      ["50,000 fields", Array.from({ length: 50_000 }, (_, n) => [`f${n}`, ALL_BYTES]).flat()],
      ["50,000 empty fields", Array.from({ length: 100_000 }, () => "")],
    ])("no more than 4 KB of %s", async ([, fields]) => {
      const kept = await deadLetterOf(fields);

      expect(kept.slice(0, 2).map(String)).toEqual(["dead_truncated", String(bytesOf(fields))]);
      expect(bytesOf(kept)).toBeLessThanOrEqual(4_096);
    });

    test("all that it kept, when it was put back and is refused again", async () => {
      const kept = await deadLetterOf(["pk", "17", "note", "x".repeat(5_000)]);
      await store.client.del("refund_order:dead");

      expect(await deadLetterOf(kept)).toEqual(kept);
    });
  });
});
