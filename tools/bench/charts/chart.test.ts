import { expect, test } from "vitest";
import { drawBars } from "./chart.ts";

const BARS = /<rect x="150" y="\d+" width="([\d.]+)"/g;

test("bars are as long as their values, and a missing value has none", () => {
  const svg = drawBars(
    "Calls",
    ["a", "b"],
    [
      { name: "ours", values: [10, undefined] },
      { name: "theirs", values: [5, 20] },
    ],
  );

  const widths = [...svg.matchAll(BARS)].map(([, width]) => Number(width)).filter((width) => width !== 12);
  expect(widths).toEqual([300, 150, 600]);
});

test("text is escaped", () => {
  expect(drawBars("a < b & c", ["x<y"], [])).toContain("<title>a &lt; b &amp; c</title>");
});
