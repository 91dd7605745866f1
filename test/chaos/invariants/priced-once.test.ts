import { describe, expect, test } from "vitest";
import { judge } from "./all.ts";
import {
  announced,
  announcement,
  COMPLETED,
  evidence,
  invalid,
  orders,
  placement,
  refunded,
  told,
} from "./sound-end.ts";

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
  placements: [{ ...placement, told: [{ ...told, ...AMOUNTS }], nonsense: [] }],
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
    { ...priced, placements: [{ ...placement, told: [{ ...told, ...AMOUNTS, price: 19.91 }], nonsense: [] }] },
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
