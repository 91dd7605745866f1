import { RESP_TYPES } from "redis";
import { expect, test } from "vitest";
import * as z from "zod";
import { refundBatch } from "../../lib/refunds/read-refunds.ts";
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
  ["a pk of a megabyte", ["pk", Buffer.alloc(1_000_000, ALL_BYTES)]],
  ["two pks", ["pk", "first", "pk", "last"]],
  ["an empty name and value", ["", ""]],
  ["fields with a dead letter's names", ["dead_reason", "mine", "dead_id", "mine", "dead_at", "mine"]],
  ["3,500 fields", Array.from({ length: 3_500 }, (_, n) => [`f${n}`, `v${n}`]).flat()],
])("a dead letter keeps a request with %s whole", async ([, fields]) => {
  expect(await buried(fields)).toEqual(fields.map((value) => Buffer.from(value)));
});

test.for([3_501, 5_000, 50_000])("a dead letter keeps %d fields in one, as JSON, every byte of them", async (count) => {
  const fields = Array.from({ length: count }, (_, n) => [Buffer.from(`f${n}`), ALL_BYTES]).flat();

  const [name, json] = await buried(fields);

  expect(String(name)).toBe("dead_fields");
  const kept = z.array(z.string()).parse(JSON.parse(json?.toString("latin1") ?? ""));
  expect(
    kept.map((value) => Buffer.from(value, "latin1")).every((value, at) => value.equals(fields[at] ?? value)),
  ).toBe(true);
  expect(kept).toHaveLength(fields.length);
});
