import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MUTANTS, PROJECT } from "./mutants.ts";

const mutations = Object.entries(MUTANTS).flatMap(([name, ofName]) =>
  ofName.map(([file, find]) => [name, file, find] as const),
);

test.each(mutations)("%s still finds its place in %s", async (_, file, find) => {
  expect(await readFile(join(PROJECT, file), "utf8")).toMatch(find);
});
