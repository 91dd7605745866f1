import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { readFunctionNames, readMemorySizes } from "../../tools/lambda-host/limits.ts";
import { codeIn, tableOf } from "../support/markdown.ts";

const PROJECT = join(import.meta.dirname, "../..");
const read = (path: string) => readFile(join(PROJECT, path), "utf8");

const GUIDE = await read("docs/operations.md");
const SOURCES = await Promise.all(globSync("{functions,lib}/**/*.ts", { cwd: PROJECT }).map(read));

/** What a pattern finds in the code that is deployed: the groups of each match. */
const inCode = (pattern: RegExp) =>
  SOURCES.flatMap((source) => [...source.matchAll(pattern)].map(([, ...groups]) => groups));

test("the table of metrics has every metric that the code writes with its unit, and no other", () => {
  const written = inCode(/\b(countMetric|reportGauge|durationMetric)\("(\w+)"/g).map(([kind, name]) => [
    name,
    kind === "durationMetric" ? "ms" : "count",
  ]);

  const rows = tableOf(GUIDE, "metric", "unit", "what").flatMap(([metrics = "", unit = ""]) => {
    const units = unit.split(", ");
    return codeIn(metrics).map((name, index) => [name, units[index] ?? units[0]]);
  });

  expect(written.length).toBeGreaterThan(10);
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(written));
});

test("the table of log lines has every line that the code writes at its level", () => {
  const written = inCode(/logger\.(info|warn|error)\("([^"]+)"/g);
  const rows = tableOf(GUIDE, "level", "message", "what it means", "what to do");
  const told = rows.flatMap(([level = "", messages = ""]) =>
    messages.split(", ").map((message) => ({ level, message })),
  );

  expect(written.length).toBeGreaterThan(10);
  for (const [level = "", message = ""] of written) {
    const row = told.find((line) => line.level === level.toUpperCase() && message.startsWith(line.message));
    expect(row, `${level}: ${message}`).toBeDefined();
  }
});

test("every log line of the table is in the code", () => {
  const rows = tableOf(GUIDE, "level", "message", "what it means", "what to do");
  const messages = rows.flatMap(([, cell = ""]) => cell.split(", "));

  expect(messages.filter((message) => !SOURCES.some((source) => source.includes(`"${message}`)))).toEqual([]);
});

test("the functions have the memory that the table gives them", async () => {
  const [names, memoryOf] = [await readFunctionNames(), await readMemorySizes()];

  const rows = tableOf(GUIDE, "function", "peak memory").flatMap(([functions = "", ...cells]) =>
    codeIn(functions).map((name) => [name, cells.at(-1)]),
  );

  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(names.map((name) => [name, `${memoryOf(name)} MB`])));
});

test("the parameters that protect the API are parameters", async () => {
  const Parameters = z.object({ default: z.record(z.string(), z.unknown()) });
  const known = Parameters.parse(parse(await read("infra/parameters.yml"))).default;

  const named = tableOf(GUIDE, "parameter", "what it does").flatMap(([names = ""]) => codeIn(names));

  expect(named.length).toBeGreaterThan(4);
  expect(named.filter((name) => !((name.split(":")[0] ?? name) in known))).toEqual([]);
});
