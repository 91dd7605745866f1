import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { anchorsOf, linksOf } from "../support/markdown.ts";

const PROJECT = join(import.meta.dirname, "../..");

test.for([
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "docs/decisions.md",
  "docs/operations.md",
  "docs/problems.md",
])("every link of %s within the project leads somewhere", async (page) => {
  const text = await readFile(join(PROJECT, page), "utf8");

  const dead = [];
  for (const link of linksOf(text).filter((target) => !/^(https?|mailto):/.test(target))) {
    const [path = "", anchor] = link.split("#");
    const file = path === "" ? join(PROJECT, page) : join(PROJECT, dirname(page), path);
    const found =
      existsSync(file) && (anchor === undefined || anchorsOf(await readFile(file, "utf8")).includes(anchor));
    if (!found) dead.push(link);
  }

  expect(dead).toEqual([]);
});
