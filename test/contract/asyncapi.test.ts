import { describe, expect, test } from "vitest";
import { z } from "zod";
import { asyncapi, childOf, namesOf, openapi } from "../../lab/contract.ts";
import { completeOrdersCommand } from "../../lib/orders/complete-orders.ts";
import { Order } from "../../lib/orders/order.ts";
import { type PlaceOrderInput, placeOrder } from "../../lib/orders/place-order.ts";
import { runCommand } from "../../lib/redis/commands.ts";
import { COMPLETED_STREAM, DEAD_LETTER_STREAM, REFUND_GROUP, REFUND_STREAM } from "../../lib/redis/keys.ts";
import { drainRefunds } from "../../lib/refunds/drain-refunds.ts";
import { replayDeadLetters } from "../../lib/refunds/replay-dead-letters.ts";
import { newPk, STREAM_MAX_LENGTH, statusOf, storeOrder } from "../support/orders.ts";
import { addRequest } from "../support/refunds.ts";
import { useStore } from "../support/store.ts";

/** Expects of a stream's entry what asyncapi.yaml has of such a message. */
function expectDocumentedEntry(message: string, entry: unknown): void {
  expect(asyncapi.fault(entry, "components", "schemas", message)).toBeUndefined();
}

const Examples = z.array(z.object({ name: z.string(), payload: z.record(z.string(), z.string()) }));

/** The pk of every example. */
const PK = "01KASYTJ8Q9C7Y8H0R5ZT6B3WD";
const DELAY_MS = 5_000;

const store = useStore();

const examplesOf = (message: string) => Examples.parse(asyncapi.at("components", "messages", message, "examples"));

const completedExample = (wanted: string) =>
  examplesOf("OrderCompleted").find(({ name }) => name === wanted)?.payload ?? {};

async function entries(stream: string): Promise<Record<string, string>[]> {
  const found = (await store.client.xRange(stream, "-", "+")) ?? [];
  return found.map(({ message }) => ({ ...message }));
}

function settleAll(): Promise<void> {
  return drainRefunds(store.redis, Date.now, () => 50_000);
}

test("asyncapi.yaml has the streams and the group that the service uses", () => {
  const channels = asyncapi.at("channels");
  const addresses = namesOf(channels).map((name) => childOf(childOf(channels, name), "address"));

  expect(addresses).toEqual([COMPLETED_STREAM, REFUND_STREAM, DEAD_LETTER_STREAM]);
  expect(asyncapi.at("channels", "refundOrder", "description")).toContain(`\`${REFUND_GROUP}\``);
});

describe("every entry is one that asyncapi.yaml has:", () => {
  test.for<["priced" | "unpriced", PlaceOrderInput["request"], number?]>([
    ["unpriced", { id: "tea-green", quantity: 1 }],
    ["unpriced", { id: "😀".repeat(128), quantity: 1_000_000 }],
    ["priced", { id: "tea-green", quantity: 2 }, 19.9],
    ["priced", { id: "tea-green", quantity: 1_000_000 }, 0],
    ["priced", { id: "tea-green", quantity: 1_000_000 }, 10_000_000],
  ])("a completed order, %s, of %o", async ([kind, request, price]) => {
    const inventory = price === undefined ? undefined : { priceOf: async () => price };
    const placing = { request, idempotencyKey: undefined, now: Date.now() };
    const { order } = await placeOrder({ redis: store.redis, inventory, retentionDays: 0 }, placing);
    await runCommand(store.redis, completeOrdersCommand([order.pk], Date.now() + DELAY_MS, STREAM_MAX_LENGTH));

    const [entry = {}] = await entries(COMPLETED_STREAM);
    expectDocumentedEntry("OrderCompleted", entry);
    const example = completedExample(kind);
    expect(Object.keys(entry)).toEqual(Object.keys(example));
    if (price === 19.9) expect(example).toMatchObject({ fee: entry.fee, total: entry.total });
  });

  test.for(examplesOf("RefundRequest"))("the refund request $name refunds its order", async ({ payload }) => {
    expectDocumentedEntry("RefundRequest", payload);
    await storeOrder(store.client, "completed", PK);
    await addRequest(store.client, Object.entries(payload).flat());

    await settleAll();

    expect(await statusOf(store.client, PK)).toBe("refunded");
  });

  test.for(examplesOf("DeadRefundRequest"))("the dead letter $name, and the same put back", async ({ payload }) => {
    // given
    const { dead_reason, dead_id: _id, dead_at: _at, ...own } = payload;
    const id = await addRequest(store.client, Object.entries(own).flat());
    // when
    await settleAll();
    // then
    const [letter] = await entries(DEAD_LETTER_STREAM);
    expectDocumentedEntry("DeadRefundRequest", letter);
    expect(letter).toEqual({ ...payload, dead_reason, dead_id: id, dead_at: expect.any(String) });
    expect(Object.keys(letter ?? {})).toEqual(Object.keys(payload));
    // when it is put back
    const [kept] = (await store.client.xRange(DEAD_LETTER_STREAM, "-", "+")) ?? [];
    await replayDeadLetters(store.redis, [kept?.id ?? ""]);
    // then
    const [again] = await entries(REFUND_STREAM);
    expect(again).toEqual({ dead_id: id, ...own });
    if (dead_reason === "unknown_order") expectDocumentedEntry("RefundRequest", again);
  });

  test("a dead letter of a request above 4 KB", async () => {
    await addRequest(store.client, ["pk", newPk(), "note", "x".repeat(5_000)]);

    await settleAll();

    const [letter] = await entries(DEAD_LETTER_STREAM);
    expectDocumentedEntry("DeadRefundRequest", letter);
    expect(Object.keys(letter ?? {})).toEqual(["dead_reason", "dead_id", "dead_at", "dead_truncated", "pk", "note"]);
  });
});

test("the examples of what the service writes fit their schemas, and what is wrong does not", () => {
  const faultOf = (message: string, entry: unknown) => asyncapi.fault(entry, "components", "schemas", message);
  for (const message of ["OrderCompleted", "DeadRefundRequest"]) {
    for (const { payload } of examplesOf(message)) {
      expectDocumentedEntry(message, payload);
      const [first = ""] = Object.keys(payload);
      expect(faultOf(message, { ...payload, [first]: "?" })).toContain(first);
    }
  }
  // An amount alone, or with one decimal.
  const { fee, ...withoutFee } = completedExample("priced");
  expect(faultOf("OrderCompleted", withoutFee)).toBeDefined();
  expect(faultOf("OrderCompleted", { ...withoutFee, fee, total: "47.7" })).toBeDefined();
});

test("a completed order is announced with every field that an order has by then, and asyncapi.yaml describes each", () => {
  const described = z
    .record(z.string(), z.unknown())
    .parse(asyncapi.at("components", "schemas", "OrderCompleted", "properties"));

  expect(Object.keys(described)).toEqual(Object.keys(Order.shape).filter((name) => name !== "refunded_at"));
});

test("asyncapi.yaml and openapi.yaml say the same of a pk", () => {
  expect(asyncapi.at("components", "schemas", "Pk", "pattern")).toBe(
    openapi.at("components", "schemas", "Pk", "pattern"),
  );
});
