import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CHANGES, PROJECT } from "./changes.ts";

const changes = Object.entries(CHANGES).flatMap(([name, ofName]) =>
  ofName.map(([file, find]) => [name, file, find] as const),
);

test.each(changes)("%s still finds its place in %s", async (_, file, find) => {
  expect(await readFile(join(PROJECT, file), "utf8")).toMatch(find);
});
