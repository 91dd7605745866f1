import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { inventoryPython } from "../shop/inventory.ts";
import { childOf, namesOf, openapi } from "../support/contract.ts";

/** Python's `$` also matches before a last line break, and its `\d` takes every script's digits. */
const TEXTS = ["", "tea", "tea\n", "te\na", "a\u0085", "\u007f", "😀", ".", "..", "a/../b", "..\\x", "2", "2\n", "٣"];

/** Prints, for each pattern, whether it is found in each text. */
const PYTHON = `
import json, re, sys
patterns, texts = json.loads(sys.argv[1])
print(json.dumps([[re.search(pattern, text) is not None for text in texts] for pattern in patterns]))
`;

const PATTERNS = [...patternsIn(openapi.content)];

test("every pattern of openapi.yaml means the same in JavaScript and in Python", async () => {
  const python = await inventoryPython();

  const { stdout } = await promisify(execFile)(python, ["-c", PYTHON, JSON.stringify([PATTERNS, TEXTS])]);

  expect(PATTERNS.length).toBeGreaterThan(5);
  expect(JSON.parse(stdout)).toEqual(
    PATTERNS.map((pattern) => TEXTS.map((text) => new RegExp(pattern, "u").test(text))),
  );
});

function* patternsIn(value: unknown): Generator<string> {
  for (const name of namesOf(value)) {
    const child = childOf(value, name);
    if (name === "pattern" && typeof child === "string") yield child;
    else yield* patternsIn(child);
  }
}
