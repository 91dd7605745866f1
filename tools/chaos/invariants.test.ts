import { describe, expect, test } from "vitest";
import { judge, type Violation } from "./invariants.ts";
import {
  announced,
  announcement,
  bytes,
  COMPLETED,
  completed,
  evidence,
  invalid,
  letter,
  orders,
  placement,
  REFUNDED,
  refunded,
  told,
  twin,
  valid,
} from "./sound-end.ts";

describe("invariants", () => {
  const broken = (given: Parameters<typeof evidence>[0]) =>
    judge(evidence(given)).map(({ invariant, kind }: Violation) => `${invariant} ${kind}`);

  test("a sound end breaks no invariant", () => {
    expect(broken({})).toEqual([]);
  });

  test("a request that someone else removed may be lost, or not", () => {
    const requests = new Map([valid, invalid].map((request) => [request.ref, { ...request, mayBeLost: true }]));
    const kept = { ...announced, pk: REFUNDED, product_id: "chaos-2" };
    expect(broken({ requests })).toEqual([]);
    expect(
      broken({
        requests,
        deadLetters: [],
        orders: orders(announced, kept),
        announcements: [announcement({}), { atMs: 0, fields: kept }],
      }),
    ).toEqual([]);
  });

  describe("it is found out when", () => {
    test.each<[string, Parameters<typeof evidence>[0], string]>([
      ["an order that a client got is not there", { orders: orders(refunded), announcements: [] }, "1 lost"],
      [
        "one request made two orders",
        {
          orders: orders(announced, refunded, twin),
          announcements: [announcement({}), announcement({ pk: twin.pk })],
        },
        "1 duplicated",
      ],
      [
        "clients of one key were told of two orders",
        { placements: [{ ...placement, replies: [told, { ...told, pk: twin.pk }] }] },
        "1 duplicated",
      ],
      [
        "an order is not what its client asked for",
        { placements: [{ ...placement, replies: [{ ...told, quantity: 9 }] }] },
        "1 wrong_state",
      ],
      [
        "a client was refused without reason",
        { placements: [{ ...placement, wrongReplies: ["404"] }] },
        "1 wrong_state",
      ],
      [
        "an order whose reply was lost is not there",
        { placements: [{ ...placement, lostReplies: [{ ...told, pk: twin.pk }] }] },
        "1 lost",
      ],
      ["a client that retried never got its order", { placements: [{ ...placement, replies: [] }] }, "9 lost"],
      ["a metric counts a refund twice", { metrics: new Map([["RefundsApplied", 2]]) }, "10 duplicated"],
      [
        "an order is still pending",
        { orders: orders({ ...completed, status: "pending" }, refunded), announcements: [] },
        "2 stuck",
      ],
      [
        "a completed order has no time of it",
        { orders: orders({ ...completed, status: "completed" }, refunded), announcements: [] },
        "2 wrong_state",
      ],
      ["a completion was never announced", { announcements: [] }, "3 lost"],
      ["a completion was announced twice", { announcements: [announcement({}), announcement({})] }, "3 duplicated"],
      [
        "an order was announced that was not completed",
        { announcements: [announcement({}), announcement({ pk: REFUNDED })] },
        "3 wrong_state",
      ],
      [
        "an order was announced that is not there",
        { announcements: [announcement({}), announcement({ pk: twin.pk })] },
        "3 wrong_state",
      ],
      ["an announcement differs from its order", { announcements: [announcement({ quantity: "9" })] }, "3 wrong_state"],
      [
        "a valid request moved nothing",
        {
          orders: orders(announced, { ...announced, pk: REFUNDED }),
          announcements: [announcement({}), announcement({ pk: REFUNDED })],
        },
        "4 lost",
      ],
      ["an order was refunded that nobody asked for", { requests: new Map([[invalid.ref, invalid]]) }, "4 wrong_state"],
      ["an invalid request is nowhere", { deadLetters: [] }, "4 lost"],
      ["an invalid request was kept twice", { deadLetters: [bytes(letter), bytes(letter)] }, "4 duplicated"],
      [
        "an invalid request was kept for another reason",
        { deadLetters: [bytes(letter.with(1, "unknown_order"))] },
        "4 wrong_state",
      ],
      ["an invalid request was not kept whole", { deadLetters: [bytes(letter.with(7, "no"))] }, "4 wrong_state"],
      [
        "a valid request is a dead letter",
        { deadLetters: [bytes(letter), bytes(letter.with(9, "request-1"))] },
        "4 wrong_state",
      ],
      [
        "a dead letter is nobody's",
        { deadLetters: [bytes(letter), bytes(letter.with(9, "request-9"))] },
        "4 wrong_state",
      ],
      ["a request is still pending", { requestsLeft: 1, pendingEntriesLeft: 1 }, "5 stuck"],
      ["a request is still on the stream", { requestsLeft: 1 }, "5 stuck"],
      ["an order still owes its completion", { pendingPks: [COMPLETED] }, "5 stuck"],
      [
        "a reader saw an illegal move",
        { seen: [{ order: 1, detail: "it went from completed to pending" }] },
        "6 wrong_state",
      ],
    ])("%s", (_, given, found) => {
      expect(broken(given)).toContain(found);
    });
  });
});

describe("prices", () => {
  const AMOUNTS = { price: 19.9, fee: 7.96, total: 47.76 };
  const ASKED_MS = 1_000;
  const pricedOrder = { ...announced, price: "19.90", fee: "7.96", total: "47.76" };
  const priceBook = (...cents: number[]) => ({
    told: new Map([[1, cents]]),
    askedMs: new Map([[COMPLETED, ASKED_MS]]),
    refusals: [],
  });

  /** The end of a run with an inventory that told two prices, and one order; no refund was asked for. */
  const priced = {
    orders: orders(pricedOrder),
    announcements: [{ atMs: 0, fields: pricedOrder }],
    placements: [{ ...placement, replies: [{ ...told, ...AMOUNTS }] }],
    requests: new Map([[invalid.ref, invalid]]),
    prices: priceBook(1_234, 1_990),
  };

  const broken = (given: Parameters<typeof evidence>[0]) =>
    judge(evidence(given)).map(({ invariant, kind }) => `${invariant} ${kind}`);

  test("a sound end with prices breaks no invariant", () => {
    expect(broken(priced)).toEqual([]);
  });

  test.each<[string, Parameters<typeof evidence>[0], string]>([
    [
      "an order has a price that nobody told",
      { orders: orders({ ...announced, price: "19.90", fee: "7.96", total: "47.76" }, refunded) },
      "7 wrong_state",
    ],
    ["an order has no price where there is an inventory", { prices: priceBook(1_990) }, "7 wrong_state"],
    ["an order has another price than it was told", { ...priced, prices: priceBook(1_991) }, "7 wrong_state"],
    ["an order's fee is a cent off", { ...priced, orders: orders({ ...pricedOrder, fee: "7.97" }) }, "7 wrong_state"],
    [
      "a client was told another price",
      { ...priced, placements: [{ ...placement, replies: [{ ...told, ...AMOUNTS, price: 19.91 }] }] },
      "7 wrong_state",
    ],
    ["an announcement has no price", { ...priced, announcements: [announcement({})] }, "3 wrong_state"],
  ])("it is found out when %s", (_, given, found) => {
    expect(broken(given)).toContain(found);
  });

  describe("a refusal for want of a price", () => {
    const refused = (order: number, askedMs: number) => ({
      ...priced,
      prices: { ...priced.prices, refusals: [{ order, askedMs }] },
    });

    test.each([0, 1])("is a lie when the order is placed by a request that had asked %d ms before", (ms) => {
      expect(broken(refused(1, ASKED_MS + ms))).toEqual(["8 wrong_state"]);
    });

    test("is the truth when the order is placed by a request that asked afterwards, or is not placed", () => {
      expect(broken(refused(1, ASKED_MS - 1))).toEqual([]);
      expect(broken(refused(2, ASKED_MS + 1))).toEqual([]);
    });
  });
});
