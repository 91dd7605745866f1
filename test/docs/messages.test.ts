import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { codeIn, tableOf } from "../support/markdown.ts";

const PROJECT = join(import.meta.dirname, "../..");

/** Where the messages of the table come from; the tests beside those files have each of them said. */
const SPEAKERS = [
  "local/**/*.ts",
  "tools/**/*.{ts,cjs}",
  "infra/*.ts",
  "test/support/*.ts",
  "node_modules/serverless/lib/plugins/aws/provider.js",
];

/** What the examples in the table stand for, and what stands there in the code. */
const VARYING = /3000|the API|python3-redis|chromium|CHROMIUM_PATH|ORDERS_TEST_PYTHON|\$\{\w+\}/g;

const read = (path: string) => readFile(join(PROJECT, path), "utf8");
const README = await read("README.md");
const spoken = await Promise.all(globSync(SPEAKERS, { cwd: PROJECT }).map(read));

test.for(tableOf(README, "message", "what it means, and what to do"))(
  "%s is a message of the project",
  ([cell = ""]) => {
    const [message = ""] = codeIn(cell);

    expect(message).not.toBe("");
    expect(spoken.some((source) => source.replaceAll(VARYING, "…").includes(message.replaceAll(VARYING, "…")))).toBe(
      true,
    );
  },
);
