import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { childOf, namesOf, openapi } from "../../lab/contract.ts";
import { blocksOf } from "../support/markdown.ts";
import { PROJECT, redocly } from "../support/run.ts";
import { NO_PYTHON, sharedService } from "./service.ts";

const GUIDE = await readFile(join(PROJECT, "docs/client-guide.md"), "utf8");
const TSC = join(PROJECT, "node_modules/typescript/bin/tsc");

/** The project's own rules, with the browser's types, of which the generated client uses some. */
const TSCONFIG = {
  extends: join(PROJECT, "tsconfig.json"),
  compilerOptions: {
    lib: ["es2025", "dom", "dom.iterable"],
    types: ["node"],
    typeRoots: [join(PROJECT, "node_modules/@types")],
  },
  include: ["*.ts"],
};

const run = promisify(execFile);

const ENV = { env: { ...process.env, API: sharedService().api } };
let folder = "";

beforeAll(async () => {
  // In the project, so that types are found; git ignores the folder, and Node strips types there.
  await mkdir(join(PROJECT, ".esbuild"), { recursive: true });
  folder = await mkdtemp(join(PROJECT, ".esbuild/client-"));
});
afterAll(async () => {
  if (folder) await rm(folder, { recursive: true, force: true });
});

test("the TypeScript program of the client guide is typed, places an order and waits for it", async () => {
  await redocly("generate-client", "openapi.yaml", "--output", join(folder, "client.ts"));
  await writeFile(join(folder, "program.ts"), blocksOf(GUIDE, "ts")[0] ?? "");
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(TSCONFIG));

  const checked = await run(process.execPath, [TSC, "--project", folder]).catch((error: unknown) => error);
  expect(checked).toMatchObject({ stdout: "" });
  const { stdout } = await run(process.execPath, [join(folder, "program.ts")], ENV);

  expect(stdout).toBe("completed\ninvalid_order\n");
});

test.skipIf(NO_PYTHON)("the Python program of the client guide places an order once and waits for it", async () => {
  const { stdout } = await run(inject("python") ?? "", ["-c", blocksOf(GUIDE, "python")[0] ?? ""], ENV);

  expect(stdout).toBe("completed\ninvalid_order\n");
});

/** Python's `$` also matches before a last line break, and its `\d` takes every script's digits. */
const TEXTS = ["", "tea", "tea\n", "te\na", "a\u0085", "\u007f", "😀", ".", "..", "a/../b", "..\\x", "2", "2\n", "٣"];

/** Prints, for each pattern, whether it is found in each text. */
const PYTHON = `
import json, re, sys
patterns, texts = json.loads(sys.argv[1])
print(json.dumps([[re.search(pattern, text) is not None for text in texts] for pattern in patterns]))
`;

const PATTERNS = [...patternsIn(openapi.at())];

test.skipIf(NO_PYTHON)("every pattern of openapi.yaml means the same in JavaScript and in Python", async () => {
  const { stdout } = await run(inject("python") ?? "", ["-c", PYTHON, JSON.stringify([PATTERNS, TEXTS])]);

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
