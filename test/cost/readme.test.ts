import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { readMemorySizes } from "../lambda/limits.ts";
import type { OperationName } from "./counts.ts";
import { EXPECTED_COMMANDS } from "./expected-commands.ts";
import { readInfrastructure } from "./infrastructure.ts";
import { tablesIn, withTables } from "./readme.ts";
import { Report, reportOf } from "./report.ts";
import { tablesOf } from "./table.ts";

const AGAIN = "run npm run cost -- --write";

const project = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");

const found = Report.parse(JSON.parse(await project("docs/cost.json")));

test("the tables of the README are those of docs/cost.json", async () => {
  expect(tablesIn(await project("README.md")), AGAIN).toBe(tablesOf(found));
});

test("docs/cost.json is what its counts cost at the prices of today", () => {
  expect(JSON.parse(JSON.stringify(reportOf(found.counts, found.orders_a_month))), AGAIN).toEqual(found);
});

test("docs/cost.json counts the Redis commands that the functions run today", () => {
  for (const [name, expected] of Object.entries(EXPECTED_COMMANDS)) {
    const { calls, commands } = found.counts.operations[name as OperationName];
    const perCall = Object.entries(commands).map(([command, times]) => [command, times / calls]);
    expect(Object.fromEntries(perCall), `${name}: ${AGAIN}`).toEqual(expected);
  }
});

test("docs/cost.json counts what serverless.yml and infra/ deploy today", async () => {
  const { infrastructure, operations } = found.counts;
  const memoryOf = await readMemorySizes();

  expect(infrastructure, AGAIN).toEqual(await readInfrastructure());
  for (const { functionName, memoryMb } of Object.values(operations)) {
    expect([functionName, memoryMb], AGAIN).toEqual([functionName, memoryOf(functionName)]);
  }
});

test("tables are put between their marks, and nothing else of the page changes", async () => {
  const page = await project("README.md");
  const changed = withTables(page, "| new |");
  expect(tablesIn(changed)).toBe("| new |");
  expect(withTables(changed, tablesIn(page))).toBe(page);
  expect(() => withTables("# No marks", "| new |")).toThrow("The page has no lines");
});
