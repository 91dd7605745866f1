import fc from "fast-check";
import { expect, test } from "vitest";
import { median, percentile } from "./statistics.ts";

test("a percentile is a value that so many per cent do not exceed, to 4 figures", () => {
  const thousand = Array.from({ length: 1_000 }, (_, index) => (index + 1) / 10);
  expect(percentile(thousand, 50)).toBeCloseTo(50, 1);
  expect(percentile(thousand, 99)).toBeCloseTo(99, 1);
  expect(percentile([0.25], 99)).toBeCloseTo(0.25, 3);
});

test("a median has as many values below as above it", () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
      const middle = median(values);
      expect(values.filter((value) => value < middle).length).toBeLessThanOrEqual(values.length / 2);
      expect(values.filter((value) => value > middle).length).toBeLessThanOrEqual(values.length / 2);
    }),
  );
});
