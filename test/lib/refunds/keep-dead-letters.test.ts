import { RESP_TYPES } from "@redis/client";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { runCommand } from "../../../lib/redis/commands.ts";
import { drainRefunds, keepDeadLettersCommand } from "../../../lib/refunds/drain-refunds.ts";
import { forbid } from "../../support/redis.ts";
import { addRequest, leftOver, pendingIds, readBatch } from "../../support/refunds.ts";
import { useStore } from "../../support/store.ts";

const KEPT = 1;
const SETTLED_ELSEWHERE = 2;
const TRIMMED = 3;
const FAILED = 4;

const DEAD_AT = "2026-11-23T06:01:00.000Z";
const NOTHING_LEFT = { entries: 0, pending: 0 };

const store = useStore();

async function keep(ids: readonly string[]): Promise<readonly number[]> {
  const refused = ids.map((id) => ({ id, reason: "missing_pk" as const }));
  const [codes] = await runCommand(store.redis, keepDeadLettersCommand(refused, Date.parse(DEAD_AT)));
  return codes;
}

/** Two requests that a poller has read. */
async function readRequests(): Promise<string[]> {
  const ids = [await addRequest(store.client, ["order", "1"]), await addRequest(store.client, ["order", "2"])];
  await readBatch(store);
  return ids;
}

test("a reply without a code for each request is invalid", () => {
  const { reply } = keepDeadLettersCommand([{ id: "1-0", reason: "missing_pk" }], 0);

  expect(z.safeParse(reply, [[1], []]).success).toBe(true);
  expect(z.safeParse(reply, [[], []]).success).toBe(false);
});

test("a refused request is kept once", async () => {
  const ids = await readRequests();

  expect(await keep(ids)).toEqual([KEPT, KEPT]);
  expect(await keep(ids)).toEqual([SETTLED_ELSEWHERE, SETTLED_ELSEWHERE]);

  expect(await store.client.xLen("refund_order:dead")).toBe(2);
  expect(await leftOver(store.client)).toEqual(NOTHING_LEFT);
});

test("while Redis refuses its dead letter, a request is left as it is", async () => {
  const ids = await readRequests();
  const allow = await forbid(store.client, "xadd");

  expect(await keep(ids)).toEqual([FAILED, FAILED]);

  await allow();
  expect(await pendingIds(store.client)).toEqual(ids);
  expect(await keep(ids)).toEqual([KEPT, KEPT]);
});

test("a request that was trimmed while it was pending is reported as trimmed until it is acknowledged", async () => {
  const ids = await readRequests();
  await store.client.xTrim("refund_order", "MAXLEN", 1);

  expect(await keep(ids)).toEqual([TRIMMED, KEPT]);
  expect(await keep(ids)).toEqual([TRIMMED, SETTLED_ELSEWHERE]);

  await store.client.xAck("refund_order", "payment-group", ids);
  expect(await keep(ids)).toEqual([SETTLED_ELSEWHERE, SETTLED_ELSEWHERE]);
});

describe("the fields of a dead letter", () => {
  const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

  const Entries = z.array(z.tuple([z.instanceof(Buffer), z.array(z.instanceof(Buffer))]));

  /** Reads and settles the request of these fields, and returns its own fields in its dead letter. */
  async function deadLetterOf(fields: readonly (string | Buffer)[]): Promise<Buffer[]> {
    const id = await addRequest(store.client, fields);
    await drainRefunds(
      store.redis,
      () => Date.parse(DEAD_AT),
      () => 50_000,
    );
    const raw = store.client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    const letters = Entries.parse(await raw.sendCommand(["XRANGE", "refund_order:dead", "-", "+"]));
    expect(letters).toHaveLength(1);
    const [, kept = []] = letters[0] ?? [];
    const reason = expect.stringMatching(/^(missing|malformed)_pk$/);
    expect(kept.slice(0, 6).map(String)).toEqual(["dead_reason", reason, "dead_id", id, "dead_at", DEAD_AT]);
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
