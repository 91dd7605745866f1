import { describe, expect, test } from "vitest";
import type { Placement } from "./clients.ts";
import type { Facts, Hash } from "./database.ts";
import { type Evidence, judge } from "./invariants.ts";
import type { RefundRequest } from "./refunds.ts";

type Given = Partial<Facts> & Partial<Omit<Evidence, "facts">>;

const COMPLETED = "01M83J45X21HMW7YDXFK700VAH";
const REFUNDED = "01M83J45X21HMW7YDXFK700VAJ";
const CREATED_AT = "2026-11-23T06:40:04.514Z";
const REFUNDED_AT = "2026-11-23T06:40:12.000Z";
const ASKED_MS = 1_000;

const completed: Hash = {
  ...{ pk: COMPLETED, product_id: "chaos-1", quantity: "2", created_at: CREATED_AT },
  ...{ status: "completed", completed_at: "2026-11-23T06:40:10.087Z" },
};
const refunded: Hash = {
  ...{ pk: REFUNDED, product_id: "chaos-2", quantity: "3", created_at: CREATED_AT },
  ...{ status: "refunded", refunded_at: REFUNDED_AT },
};
const twin = { ...completed, pk: "01M83J45X21HMW7YDXFK700VAK" };
const unrefunded = { ...completed, pk: REFUNDED, product_id: "chaos-2" };
const untimed = { pk: COMPLETED, product_id: "chaos-1", quantity: "2", created_at: CREATED_AT };

const reply = { pk: COMPLETED, product_id: "chaos-1", quantity: 2, status: "pending", created_at: CREATED_AT } as const;
const placement: Placement = {
  ...{ order: 1, behaviour: "retry", key: "a-key-of-16-chars" },
  ...{ replies: [reply], lostReplies: [], wrongReplies: [] },
};
const placed = (change: Partial<Placement>) => ({ placements: [{ ...placement, ...change }] });

const valid: RefundRequest = {
  ...{ ref: "request-1", fields: ["pk", REFUNDED, "ref", "request-1"] },
  ...{ expected: { pk: REFUNDED, order: 2 }, mayBeLost: false },
};
const invalid: RefundRequest = {
  ...{ ref: "request-2", fields: ["note", "no pk", "ref", "request-2"] },
  ...{ expected: { reason: "missing_pk" }, mayBeLost: false },
};
const asked = (...requests: RefundRequest[]) => new Map(requests.map((request) => [request.ref, request]));

const LETTER = `dead_reason|missing_pk|dead_id|1-0|dead_at|${REFUNDED_AT}|note|no pk|ref|request-2`;
const letter = (find = "", replacement = "") =>
  LETTER.replace(find, replacement)
    .split("|")
    .map((field) => Buffer.from(field));

const orders = (...hashes: Hash[]) => new Map(hashes.map((hash) => [hash.pk ?? "", hash]));

const tooSoon: Hash = { ...completed, completed_at: "2026-11-23T06:40:09.513Z" };
const early = { orders: orders(tooSoon, refunded), announcements: [tooSoon] };

/** What is broken at the end of a run in which all went well, but for what is given. */
function broken({
  placements = [placement],
  metrics = new Map(),
  seen = [],
  prices,
  requests,
  completion = "scheduler",
  ...facts
}: Given) {
  const sound: Facts = {
    orders: orders(completed, refunded),
    announcements: [completed],
    deadLetters: [letter()],
    pendingPks: [],
    requestsLeft: 0,
    pendingEntriesLeft: 0,
  };
  const evidence = { placements, metrics, seen, prices, requests: requests ?? asked(valid, invalid), completion };
  const violations = judge({ facts: { ...sound, ...facts }, ...evidence });
  return violations.map(({ invariant, kind }) => `${invariant} ${kind}`);
}

test("a sound end breaks no invariant", () => {
  expect(broken({})).toEqual([]);
});

test("with a schedule an order may be completed early: it is delivered early, and two clocks differ", () => {
  expect(broken(early)).toEqual([]);
});

test("a request that someone else removed may be lost, or not", () => {
  const requests = asked({ ...valid, mayBeLost: true }, { ...invalid, mayBeLost: true });
  const lost = { deadLetters: [], orders: orders(completed, unrefunded), announcements: [completed, unrefunded] };
  expect(broken({ requests })).toEqual([]);
  expect(broken({ requests, ...lost })).toEqual([]);
});

test("of a request above 4 KB a dead letter keeps its size, the beginning of its pk, and its other fields", () => {
  const huge: RefundRequest = {
    ...invalid,
    expected: { reason: "malformed_pk" },
    fields: ["pk", "0".repeat(5_000), "ref", "request-2"],
  };
  const requests = asked(valid, huge);
  const kept = (size: number, pk: string) =>
    letter(
      LETTER,
      `dead_reason|malformed_pk|dead_id|1-0|dead_at|${REFUNDED_AT}|dead_truncated|${size}|pk|${pk}|ref|request-2`,
    );
  expect(broken({ requests, deadLetters: [kept(5_018, "000")] })).toEqual([]);
  expect(broken({ requests, deadLetters: [kept(5_017, "000")] })).toEqual(["4 wrong_state"]);
  expect(broken({ requests, deadLetters: [kept(5_018, "001")] })).toEqual(["4 wrong_state"]);
});

test.each<[string, Given, string]>([
  ["an order that a client got is not there", { orders: orders(refunded), announcements: [] }, "1 lost"],
  ["an order whose reply was lost is not there", placed({ lostReplies: [{ ...reply, pk: twin.pk }] }), "1 lost"],
  [
    "one request made two orders",
    { orders: orders(completed, refunded, twin), announcements: [completed, twin] },
    "1 duplicated",
  ],
  ["clients of one key got two orders", placed({ replies: [reply, { ...reply, pk: twin.pk }] }), "1 duplicated"],
  ["an order is not what was asked for", placed({ replies: [{ ...reply, quantity: 9 }] }), "1 wrong_state"],
  ["a client was refused without reason", placed({ wrongReplies: ["404"] }), "1 wrong_state"],
  [
    "an order is still pending",
    { orders: orders({ ...untimed, status: "pending" }, refunded), announcements: [] },
    "2 stuck",
  ],
  [
    "a completed order has no completion time",
    { orders: orders({ ...untimed, status: "completed" }, refunded), announcements: [] },
    "2 wrong_state",
  ],
  ["a completion was never announced", { announcements: [] }, "3 lost"],
  ["a completion was announced twice", { announcements: [completed, completed] }, "3 duplicated"],
  ["an announced order was not completed", { announcements: [completed, unrefunded] }, "3 wrong_state"],
  ["an announced order is not there", { announcements: [completed, twin] }, "3 wrong_state"],
  ["an announcement differs from its order", { announcements: [{ ...completed, quantity: "9" }] }, "3 wrong_state"],
  [
    "a valid request moved nothing",
    { orders: orders(completed, unrefunded), announcements: [completed, unrefunded] },
    "4 lost",
  ],
  ["an order was refunded that nobody asked for", { requests: asked(invalid) }, "4 wrong_state"],
  ["an invalid request is nowhere", { deadLetters: [] }, "4 lost"],
  ["an invalid request was kept twice", { deadLetters: [letter(), letter()] }, "4 duplicated"],
  ["a dead letter has another reason", { deadLetters: [letter("missing_pk", "unknown_order")] }, "4 wrong_state"],
  ["an invalid request was not kept whole", { deadLetters: [letter("no pk", "no")] }, "4 wrong_state"],
  ["a dead letter has no time", { deadLetters: [letter("dead_at", "died_at")] }, "4 wrong_state"],
  ["a valid request is a dead letter", { deadLetters: [letter(), letter("request-2", "request-1")] }, "4 wrong_state"],
  ["a valid request waited for dead letters", { requests: asked({ ...valid, heldUp: true }, invalid) }, "4 stuck"],
  ["a dead letter is nobody's", { deadLetters: [letter(), letter("request-2", "request-9")] }, "4 wrong_state"],
  ["a request is still pending", { requestsLeft: 1, pendingEntriesLeft: 1 }, "5 stuck"],
  ["a request is still on the stream", { requestsLeft: 1 }, "5 stuck"],
  ["an order still owes its completion", { pendingPks: [COMPLETED] }, "5 stuck"],
  ["a reader saw an illegal move", { seen: [{ order: 1, detail: "from completed to pending" }] }, "6 wrong_state"],
  ["a client that retried never got its order", placed({ replies: [] }), "9 lost"],
  ["an order was completed before it was due", { ...early, completion: "sweep" }, "11 wrong_state"],
  ["a metric counts a refund twice", { metrics: new Map([["RefundsApplied", 2]]) }, "10 duplicated"],
])("it is found out when %s", (_, given, found) => {
  expect(broken(given)).toContain(found);
});

describe("with prices", () => {
  const amounts = { price: 19.9, fee: 7.96, total: 47.76 };
  const pricedOrder: Hash = { ...completed, price: "19.90", fee: "7.96", total: "47.76" };
  const prices = (...cents: number[]) => ({
    quoted: new Map([[1, cents]]),
    askedMs: new Map([[COMPLETED, ASKED_MS]]),
    refusals: [],
  });

  /** The end of a run with an inventory that quoted two prices, and one order; no refund was requested. */
  const priced = {
    orders: orders(pricedOrder),
    announcements: [pricedOrder],
    ...placed({ replies: [{ ...reply, ...amounts }] }),
    requests: asked(invalid),
    prices: prices(1_234, 1_990),
  };

  test("a sound end breaks no invariant", () => {
    expect(broken(priced)).toEqual([]);
  });

  test.each<[string, Given, string]>([
    [
      "an order has a price that the inventory never quoted",
      { orders: orders(pricedOrder, refunded) },
      "7 wrong_state",
    ],
    ["an order has no price where there is an inventory", { prices: prices(1_990) }, "7 wrong_state"],
    ["an order has another price than the inventory quoted", { ...priced, prices: prices(1_991) }, "7 wrong_state"],
    ["a fee is a cent off", { ...priced, orders: orders({ ...pricedOrder, fee: "7.97" }) }, "7 wrong_state"],
    [
      "a client got another price",
      { ...priced, ...placed({ replies: [{ ...reply, ...amounts, price: 19.91 }] }) },
      "7 wrong_state",
    ],
    ["an announcement has no price", { ...priced, announcements: [completed] }, "3 wrong_state"],
  ])("it is found out when %s", (_, given, found) => {
    expect(broken(given)).toContain(found);
  });

  test.each([
    ["is a lie when a request places the order that had asked at the same time", 1, 0, ["8 wrong_state"]],
    ["is a lie when a request places the order that had asked before", 1, 1, ["8 wrong_state"]],
    ["is the truth when the order is placed by a request that asked afterwards", 1, -1, []],
    ["is the truth when the order is not placed", 2, 1, []],
  ])("a refusal %s", (_, order, laterMs, found) => {
    const refusals = [{ order, askedMs: ASKED_MS + laterMs }];
    expect(broken({ ...priced, prices: { ...priced.prices, refusals } })).toEqual(found);
  });
});
