import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_QUANTITY } from "../../../lib/orders/order-request.ts";
import { MAX_PRICE, priceOrder, UnitPrice } from "../../../lib/orders/prices.ts";

const RUNS = 5_000;

const isPrice = (value: unknown) => UnitPrice.safeParse(value).success;

/** A decimal of exactly two places in cents, by its digits alone. */
function cents(decimal: string): bigint {
  expect(decimal).toMatch(/^\d+\.\d\d$/);
  return BigInt(decimal.replace(".", ""));
}

test.for<[number, number, string, string, string]>([
  [19.9, 2, "19.90", "7.96", "47.76"],
  // In binary floats 0.1 × 3 is 0.30000000000000004, and 1.005 × 100 is 100.49999999999999.
  [0.1, 3, "0.10", "0.06", "0.36"],
  [10.05, 100, "10.05", "201.00", "1206.00"],
  // A fifth of 0.02 is 0.004, of 0.03 it is 0.006.
  [0.02, 1, "0.02", "0.00", "0.02"],
  [0.03, 1, "0.03", "0.01", "0.04"],
  [0, 1_000_000, "0.00", "0.00", "0.00"],
  [-0, 1, "0.00", "0.00", "0.00"],
  [MAX_PRICE, MAX_QUANTITY, "10000000.00", "2000000000000.00", "12000000000000.00"],
  [9_999_999.99, 999_999, "9999999.99", "1999997998000.00", "11999987988000.01"],
])("%d for a piece, %d pieces: price %s, fee %s, total %s", ([piece, quantity, price, fee, total]) => {
  expect(priceOrder(piece, quantity)).toEqual({ price, fee, total });
});

test("fee and total are exact to the cent, and are the same cents as JSON numbers", () => {
  const anyCents = fc.oneof(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 0, max: MAX_PRICE * 100 }));
  const anyQuantity = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: MAX_QUANTITY }));
  fc.assert(
    fc.property(anyCents, anyQuantity, (priceInCents, quantity) => {
      const piece = Number(`${Math.trunc(priceInCents / 100)}.${String(priceInCents % 100).padStart(2, "0")}`);
      expect(isPrice(piece)).toBe(true);

      const prices = priceOrder(piece, quantity);

      const net = BigInt(priceInCents) * BigInt(quantity);
      expect(cents(prices.price)).toBe(BigInt(priceInCents));
      // Half up in whole numbers: a fifth, with half of the divisor added before.
      expect(cents(prices.fee)).toBe((net * 2n + 5n) / 10n);
      expect(cents(prices.total)).toBe(net + cents(prices.fee));
      for (const decimal of Object.values(prices)) {
        expect(Number(JSON.parse(JSON.stringify(Number(decimal)))).toFixed(2)).toBe(decimal);
      }
    }),
    { numRuns: RUNS },
  );
});

describe("a price is", () => {
  test.for([0, -0, 0.01, 0.1, 1, 19.9, 19.99, 1e7, 9_999_999.99])("%d", (price) => {
    expect(isPrice(price)).toBe(true);
  });

  test.for<unknown>([
    ...[19.999, 0.001, 1e-7, 0.1 + 0.2, -0.01, -1, 10_000_000.01, 1e21, Number.NaN, Number.POSITIVE_INFINITY],
    ...["19.90", null, undefined, true, { amount: 19.9 }],
  ])("not %o", (price) => {
    expect(isPrice(price)).toBe(false);
  });
});
