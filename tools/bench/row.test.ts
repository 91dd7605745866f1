import { describe, expect, test } from "vitest";
import { isWithin, row, type Target } from "./row.ts";
import { tableOfRows } from "./table.ts";

const measured = { group: "warm", measure: "a call", name: "getOrder", unit: "ms" } as const;
const atMost = (of: Target["of"], value: number): Target => ({ of, bound: "at most", value });

describe("a row", () => {
  test("is compared with its floor by the ratio", () => {
    expect(row({ ...measured, subject: 1.5, floor: 1, target: atMost("ratio", 1.3) })).toMatchObject({
      ratio: 1.5,
      met: false,
    });
  });

  test("is compared by the difference where the target is one", () => {
    const compared = row({ ...measured, subject: 120, floor: 90, target: atMost("difference", 40) });
    expect(compared).toMatchObject({ difference: 30, met: true });
    expect(compared).not.toHaveProperty("ratio");
  });

  test("without a target is neither met nor missed", () => {
    expect(row({ ...measured, subject: 1, floor: 2 })).not.toHaveProperty("met");
  });

  test("with slack may take twice as long, or do half as much, but makes as many calls exactly", () => {
    const slow = row({ ...measured, subject: 2.5, floor: 1, target: atMost("ratio", 1.3) });
    const few = row({ ...measured, subject: 0.3, floor: 1, target: { of: "ratio", bound: "at least", value: 0.5 } });
    const chatty = row({ ...measured, subject: 2, target: { of: "subject", bound: "exactly", value: 1 } });
    expect([slow, few, chatty].map((one) => isWithin(one, 1))).toEqual([false, false, false]);
    expect([slow, few, chatty].map((one) => isWithin(one, 2))).toEqual([true, true, false]);
    expect(isWithin({ ...slow, ratio: 2.7 }, 2)).toBe(false);
  });

  test("that could not be measured has missed", () => {
    expect(row({ ...measured, subject: Number.NaN, floor: 1, target: atMost("ratio", 1.3) })).toMatchObject({
      met: false,
    });
  });

  test("is a line of the table, which names a miss as a miss", () => {
    const [, , line] = tableOfRows([
      row({ ...measured, subject: 1234.5, floor: 100, target: atMost("ratio", 1.3) }),
    ]).split("\n");
    expect(line).toMatch(/^\| a call +\| 1,235 ms +\| 100 ms +\| 12.3× +\| ≤ 1.3× +\| \*\*missed\*\* \|$/);
  });
});
