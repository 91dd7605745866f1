import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { z } from "zod";
import { runScript } from "../support/run.ts";
import { Results } from "./results.ts";
import { isWithin, type Row } from "./row.ts";

/** A run takes two minutes; a machine that has other work may need three times as long, and there may be two. */
const TIMEOUT_MS = 720_000;

const SLACK = 2;

const bench = (option: string, signal: AbortSignal) => runScript("test/bench/main.ts", [option], process.env, signal);

async function quickRows(signal: AbortSignal): Promise<Row[]> {
  const { code, stdout, stderr } = await bench("--quick", signal);
  expect(stderr).toContain("done");
  expect(code).toBe(0);
  const [last = "", ...before] = stdout.trim().split("\n").toReversed();
  const { form, rows } = Results.parse(JSON.parse(last));
  expect(form).toBe("quick");
  expect(before).toHaveLength(rows.length + 2);
  return rows;
}

/** By name, as they are printed: one that is gone, or new, is seen in a diff. */
async function expectedMeasures(): Promise<string[]> {
  const text = await readFile(new URL("quick-measures.json", import.meta.url), "utf8");
  return z.array(z.string()).parse(JSON.parse(text));
}

/** What is too far from its target. What is done in a second, without a floor, says more of the machine than of the code. */
function astray(rows: readonly Row[]): Row[] {
  return rows.filter((row) => !(row.unit === "/s" && row.target?.of === "subject") && !isWithin(row, SLACK));
}

test("no measure is more than twice as far from its floor as its target allows", { timeout: TIMEOUT_MS }, async ({
  signal,
}) => {
  const rows = await quickRows(signal);
  expect(rows.map(({ measure }) => measure)).toEqual(await expectedMeasures());
  const suspects = astray(rows);
  if (suspects.length === 0) return;
  // Other work on the machine seldom strikes the same measure twice, a regression always does. Counts are exact at once.
  expect(suspects.filter(({ unit }) => unit === "calls")).toEqual([]);
  const names = new Set(suspects.map(({ measure }) => measure));
  expect(astray(await quickRows(signal)).filter(({ measure }) => names.has(measure))).toEqual([]);
});

test("an option that is wrong is told, and nothing is started", async ({ signal }) => {
  const { code, stdout, stderr } = await bench("--fast", signal);
  expect(stderr).toContain("--fast");
  expect(stderr).toContain("npm run bench --");
  expect(stdout).toBe("");
  expect(code).toBe(2);
});
