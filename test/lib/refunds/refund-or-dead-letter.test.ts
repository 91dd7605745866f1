import { RESP_TYPES } from "redis";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { type RefundRequest, refundBatch, settleRefundsCommand } from "../../../lib/refunds/refund-requests.ts";
import { dumpKeyspace } from "../../support/keyspace.ts";
import { newPk, requestRefunds, statusOf, storeOrder, storeOrders } from "../../support/orders.ts";
import { forbid } from "../../support/redis.ts";
import {
  addRequest,
  GROUP,
  leftOver,
  pendingIds,
  readBatch,
  readRefunds,
  readRequest,
  SETTLED_AT,
  settleRefunds,
} from "../../support/refunds.ts";
import { useStore } from "../../support/store.ts";

const REFUNDED = 1;
const WAS_REFUNDED = 2;
const DEAD = 3;
const SETTLED_ELSEWHERE = 4;
const TRIMMED = 5;
const FAILED = 6;

const store = useStore();

test("a reply without a code for each request is invalid", () => {
  const { reply } = settleRefundsCommand(
    [1, 2].map((id) => ({ id: `${id}-0`, pk: newPk() })),
    0,
  );

  expect(z.safeParse(reply, [[1, 1], []]).success).toBe(true);
  expect(z.safeParse(reply, [[1], []]).success).toBe(false);
});

describe("refunds", () => {
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
    const [first, second] = [
      await readRequest(store, await storeOrder(store.client)),
      await readRequest(store, "none"),
    ];
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
});

describe("refused requests", () => {
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
});

describe("dead letters", () => {
  const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const HEAD = ["dead_reason", "dead_id", "dead_at"];

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
});
