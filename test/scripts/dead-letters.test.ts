import { RESP_TYPES } from "redis";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { refundBatch } from "../../lib/refunds/refund-requests.ts";
import { addRequest, readBatch, SETTLED_AT, settleRefunds } from "../support/refunds.ts";
import { useStore } from "../support/store.ts";

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const HEAD = ["dead_reason", "dead_id", "dead_at"];

const store = useStore();
const Entries = z.array(z.tuple([z.instanceof(Buffer), z.array(z.instanceof(Buffer))]));

/** Reads and settles the request of these fields, and returns the fields of its dead letter. */
async function buried(fields: readonly (string | Buffer)[]): Promise<Buffer[]> {
  const id = await addRequest(store.client, fields);
  const { requests } = refundBatch(await readBatch(store));
  await settleRefunds(store, requests);
  const raw = store.client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  const [letter, ...others] = Entries.parse(await raw.sendCommand(["XRANGE", "refund_order:dead", "-", "+"]));
  expect(others).toEqual([]);
  const [head, own] = [letter?.[1].slice(0, 6).map(String) ?? [], letter?.[1].slice(6) ?? []];
  expect(head.filter((_, at) => at % 2 === 0)).toEqual(HEAD);
  expect([head[3], head[5]]).toEqual([id, SETTLED_AT]);
  return own;
}

test.for<[string, (string | Buffer)[]]>([
  ["no pk", ["order", "1", "note", "by hand"]],
  ["a pk of all 256 bytes", ["pk", ALL_BYTES]],
  ["a field name of all 256 bytes", [ALL_BYTES, "value"]],
  ["two pks", ["pk", "first", "pk", "last"]],
  ["an empty name and value", ["", ""]],
  ["fields with a dead letter's names", ["dead_reason", "mine", "dead_id", "mine", "dead_at", "mine"]],
  ["4 KB in all", ["pk", "17", "note", Buffer.alloc(4_096 - "pk17note".length - 4, ALL_BYTES)]],
])("a dead letter keeps a request of %s whole", async ([, fields]) => {
  expect(await buried(fields)).toEqual(fields.map((value) => Buffer.from(value)));
});

const bytesOf = (values: readonly (string | Buffer)[]) =>
  values.reduce((bytes, value) => bytes + Buffer.from(value).length + 1, 0);

describe("of a request above 4 KB a dead letter keeps", () => {
  test("that it was cut, the pk, and the other fields in their order, the last one cut", async () => {
    const fields = ["a", "1", "b", "x".repeat(5_000), "c", "3", "pk", "17"];

    const kept = (await buried(fields)).map(String);

    expect(kept.slice(0, -1)).toEqual(["dead_truncated", String(bytesOf(fields)), "pk", "17", "a", "1", "b"]);
    expect(kept.at(-1)).toMatch(/^x+$/);
    expect(bytesOf(kept)).toBe(4_096);
  });

  test("the fields after one whose name does not fit", async () => {
    const kept = await buried(["pk", "17", "x".repeat(5_000), "", "ref", "order-77"]);

    expect(kept.slice(2).map(String)).toEqual(["pk", "17", "ref", "order-77"]);
  });

  test.for<[string, (string | Buffer)[]]>([
    ["a pk of a megabyte", ["pk", Buffer.alloc(1_000_000, ALL_BYTES)]],
    ["a name of a megabyte", ["pk", "17", Buffer.alloc(1_000_000, ALL_BYTES), ""]],
    ["50,000 fields", Array.from({ length: 50_000 }, (_, n) => [`f${n}`, ALL_BYTES]).flat()],
    ["50,000 empty fields", Array.from({ length: 100_000 }, () => "")],
  ])("no more than 4 KB of %s", async ([, fields]) => {
    const kept = await buried(fields);

    expect(kept.slice(0, 2).map(String)).toEqual(["dead_truncated", String(bytesOf(fields))]);
    expect(bytesOf(kept)).toBeLessThanOrEqual(4_096);
  });

  test("all that it kept, when it was put back and is refused again", async () => {
    const kept = await buried(["pk", "17", "note", "x".repeat(5_000)]);
    await store.client.del("refund_order:dead");

    expect(await buried(kept)).toEqual(kept);
  });
});
