import { expect, test } from "vitest";
import { newPk, requestRefund, statusOf, storeOrder } from "../support/orders.ts";
import { addRequest } from "../support/refunds.ts";
import { useStore } from "../support/store.ts";
import { bury, deadRefunds, drain, entries, refused } from "./dead-refunds.ts";

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const BATCH = 50;

const store = useStore();

test("a request for an order that appears later is put back, and the order is refunded", async () => {
  const pk = newPk();
  const letter = await refused(store, ["pk", pk, "reason", "arrived broken"]);
  await storeOrder(store.client, "completed", pk);

  const { code, stdout, stderr } = await deadRefunds(store, "replay", letter);
  await drain(store);

  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toBe("Put back 1 dead letter on refund_order\n");
  expect(await statusOf(store.client, pk)).toBe("refunded");
  expect(await entries(store.client, "refund_order")).toEqual([]);
  expect(await entries(store.client, "refund_order:dead")).toEqual([]);
});

test("requests are put back as they were, byte by byte, each behind its first id", async () => {
  const requests: (string | Buffer)[][] = [
    ["pk", ALL_BYTES, ALL_BYTES, ALL_BYTES],
    ["pk", Buffer.alloc(4_000, ALL_BYTES)],
    ["dead_reason", "mine", "dead_id", "mine", "dead_at", "mine"],
    ["dead_truncated", "mine"],
    ["", ""],
  ];
  const ids = await Promise.all(requests.map((fields) => addRequest(store.client, fields)));
  await drain(store);

  const { code } = await deadRefunds(store, "replay", "--all");

  expect(code).toBe(0);
  const back = await entries(store.client, "refund_order");
  expect(back.map(({ fields }) => fields)).toEqual(
    requests.map((fields, at) => ["dead_id", ids[at] ?? "", ...fields].map((value) => Buffer.from(value))),
  );
  expect(await entries(store.client, "refund_order:dead")).toEqual([]);
});

test("a request of 50,000 fields is put back as what its dead letter kept of it, and its order is refunded", async () => {
  const pk = newPk();
  await refused(store, [...Array.from({ length: 50_000 }, (_, n) => [`f${n}`, ALL_BYTES]).flat(), "pk", pk]);
  await storeOrder(store.client, "completed", pk);

  await deadRefunds(store, "replay", "--all");
  await drain(store);

  expect(await statusOf(store.client, pk)).toBe("refunded");
});

test("a request that is refused again and again keeps the id and the fields that it had first", async () => {
  const pk = newPk();
  const first = await requestRefund(store.client, pk);
  await drain(store);

  for (let time = 1; time <= 2; time += 1) {
    await deadRefunds(store, "replay", "--all");
    await drain(store);
  }

  const [letter, ...others] = await entries(store.client, "refund_order:dead");
  expect(others).toEqual([]);
  const fields = letter?.fields.map(String) ?? [];
  expect(fields.filter((_, at) => at !== 5)).toEqual([
    ...["dead_reason", "unknown_order", "dead_id", first, "dead_at"],
    ...["pk", pk],
  ]);
});

test("an id that is not there is named and ends with 1; the others are put back", async () => {
  const [letter = ""] = await bury(store.client, 1);

  const { code, stdout, stderr } = await deadRefunds(store, "replay", "1-1", letter, "2-2", letter);

  expect(code).toBe(1);
  expect(stderr).toBe("There is no dead letter 1-1\nThere is no dead letter 2-2\n");
  expect(stdout).toBe("Put back 1 dead letter on refund_order\n");
  expect(await store.client.xLen("refund_order")).toBe(1);
});

test("--all puts back more than a batch in their order, and nothing when nothing is there", async () => {
  await bury(store.client, 2 * BATCH + 1);

  const { code, stdout } = await deadRefunds(store, "replay", "--all");
  const again = await deadRefunds(store, "replay", "--all");

  expect(code).toBe(0);
  expect(stdout.trimEnd().split("\n").at(-1)).toBe("Put back 101 dead letters on refund_order");
  const pks = (await entries(store.client, "refund_order")).map(({ fields }) => String(fields.at(-1)));
  expect(pks).toEqual(Array.from({ length: 101 }, (_, n) => `order-${n}`));
  expect(again).toEqual({ code: 0, stdout: "Put back 0 dead letters on refund_order\n", stderr: "" });
});

test("a letter that another hand wrote goes back whole", async () => {
  const letter = await store.client.xAdd("refund_order:dead", "*", { dead_reason: "by hand", pk: "x" });

  await deadRefunds(store, "replay", letter);

  const [request] = await entries(store.client, "refund_order");
  expect(request?.fields.map(String)).toEqual(["dead_reason", "by hand", "pk", "x"]);
});

test("where refund_order is no stream, nothing is put back and the cause is told", async () => {
  const [letter = ""] = await bury(store.client, 1);
  await store.client.set("refund_order", "text");

  const { code, stderr } = await deadRefunds(store, "replay", letter);

  expect(code).toBe(1);
  expect(stderr).toMatch(/^Redis did not do what was asked: WRONGTYPE .*\n$/);
  expect(await store.client.xLen("refund_order:dead")).toBe(1);
});
