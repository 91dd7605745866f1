import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { PROBLEMS } from "../../lib/http/problem.ts";
import { openapi } from "../support/contract.ts";

const PAGE = await readFile(new URL("../../docs/problems.md", import.meta.url), "utf8");

/** What clients can see, with the status: of our own failures, only that there was one. */
const PUBLIC = Object.entries(PROBLEMS).filter(([code, { status }]) => status !== 500 || code === "internal_error");

test("docs/problems.md has a heading for each problem, with its status", () => {
  const headings = [...PAGE.matchAll(/^## (.+)\n\n(\d{3})\. /gm)].map(([, name, status]) => [name, Number(status)]);

  expect(headings).toEqual(PUBLIC.map(([code, { status }]) => [code.replaceAll("_", "-"), status]));
});

test("openapi.yaml names each code", () => {
  expect(openapi.at("components", "schemas", "Problem", "properties", "code", "enum")).toEqual(
    PUBLIC.map(([code]) => code),
  );
});
