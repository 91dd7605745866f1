import { existsSync, globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { readParametersYml } from "../../infra/parameters.ts";
import { openapi } from "../../lab/contract.ts";
import { PROBLEMS } from "../../lib/http/problem.ts";
import { readSettings, Settings } from "../../local/settings.ts";
import { anchorsOf, codeIn, linksOf, tableOf } from "../support/markdown.ts";

const PROJECT = join(import.meta.dirname, "../..");
const PAGES = globSync(["*.md", "docs/*.md", "local/*.md", "packages/*/README.md"], { cwd: PROJECT });

const read = (path: string) => readFile(join(PROJECT, path), "utf8");

const GUIDE = await read("docs/operations.md");
const SOURCES = await Promise.all(globSync("{functions,lib}/**/*.ts", { cwd: PROJECT }).map(read));

test.for(PAGES)("every link of %s within the project leads somewhere", async (page) => {
  const text = await read(page);

  const dead = [];
  for (const link of linksOf(text).filter((target) => !/^(https?|mailto):/.test(target))) {
    const [path = "", anchor] = link.split("#");
    const file = path === "" ? page : join(dirname(page), path);
    const found =
      existsSync(join(PROJECT, file)) && (anchor === undefined || anchorsOf(await read(file)).includes(anchor));
    if (!found) dead.push(link);
  }

  expect(dead).toEqual([]);
});

test("every npm script that a page names exists", async () => {
  const { scripts } = z
    .object({ scripts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(await read("package.json")));
  const texts = await Promise.all(PAGES.filter((page) => page !== "CHANGELOG.md").map(read));

  const named = texts.flatMap((text) => [...text.matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, name]) => name));

  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => name === undefined || !(name in scripts))).toEqual([]);
});

test("the table of settings has every setting with its default", async () => {
  const rows = tableOf(await read("docs/development.md"), "variable", "default", "what").flatMap(
    ([variables = "", fallback = ""]) => codeIn(variables).map((name) => [name, fallback]),
  );

  const defaults: Record<string, unknown> = readSettings({});
  const settings = Object.keys(Settings.shape).map((name) => {
    const value = defaults[name];
    return [name, value === undefined ? expect.stringMatching(/^(none|a free one)$/) : String(value)];
  });
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(settings));
});

describe("the guide to operations", () => {
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

  test("the table of log lines has every line that the code writes at its level, and no other", () => {
    const written = inCode(/logger\.(info|warn|error)\("([^"]+)"/g).map(
      ([level = "", message]) => `${level.toUpperCase()} ${message}`,
    );
    const rows = tableOf(GUIDE, "level", "message", "what it means", "what to do").flatMap(([level, messages = ""]) =>
      messages.split(", ").map((message) => `${level} ${message}`),
    );

    expect(written.length).toBeGreaterThan(10);
    expect(written.filter((line) => !rows.some((row) => line.startsWith(row)))).toEqual([]);
    const messages = rows.map((row) => row.replace(/^\w+ /, ""));
    expect(messages.filter((message) => !SOURCES.some((source) => source.includes(`"${message}`)))).toEqual([]);
  });

  test("the parameters that protect the API are parameters", async () => {
    const known = readParametersYml().default;

    const named = tableOf(GUIDE, "parameter", "what it does").flatMap(([names = ""]) => codeIn(names));

    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((name) => !((name.split(":")[0] ?? name) in known))).toEqual([]);
  });
});

describe("the problems", () => {
  /** What clients can see, with the status: of our own failures, only that there was one. */
  const PUBLIC = Object.entries(PROBLEMS).filter(([code, { status }]) => status !== 500 || code === "internal_error");

  test("docs/problems.md has a heading for each problem, with its status", async () => {
    const headings = [...(await read("docs/problems.md")).matchAll(/^## (.+)\n\n(\d{3})\. /gm)].map(
      ([, name, status]) => [name, Number(status)],
    );

    expect(headings).toEqual(PUBLIC.map(([code, { status }]) => [code.replaceAll("_", "-"), status]));
  });

  test("openapi.yaml names each code", () => {
    expect(openapi.at("components", "schemas", "Problem", "properties", "code", "enum")).toEqual(
      PUBLIC.map(([code]) => code),
    );
  });
});
