import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { expect, inject, test, vi } from "vitest";
import { readSettings } from "../../local/settings.ts";
import { banner } from "../../local/stack.ts";
import { blocksOf } from "../support/markdown.ts";
import { sharedService } from "./service.ts";

/** On a machine so busy that a completion takes longer than its function may, the sweep completes the order. */
const COMPLETION_WAIT = { timeout: 180_000, interval: 200 };

const PK = /[0-7][0-9A-HJKMNP-TV-Z]{25}/g;
const TIME = /\d{4}-\d\d-\d\dT[\d:.]+Z/g;

interface Example {
  readonly command: string;
  readonly output: string;
}

const README = await readFile(new URL("../../README.md", import.meta.url), "utf8");

const EXAMPLES = blocksOf(README, "console").flatMap(examplesOf);

const CURL = inject("curl");

const HOST = new URL(sharedService().api).host;

test.skipIf(CURL === undefined)(
  "each example of the README gets what it shows, one after the other",
  { timeout: 400_000 },
  async () => {
    const pkOf = (text: string) => text.match(PK)?.[0] ?? "no pk";
    const pkThere = pkOf(EXAMPLES[0]?.output ?? "");
    let pkHere = pkThere;
    expect(EXAMPLES.length).toBeGreaterThan(1);
    for (const { command, output } of EXAMPLES) {
      // A read waits for the status that it shows.
      const status = /"status":"(?!pending)\w+"/.exec(output)?.[0] ?? "";
      const shown = await vi.waitUntil(async () => {
        const printed = await run(command.replace("localhost:3000", HOST).replaceAll(pkThere, pkHere));
        return printed.includes(status) && printed;
      }, COMPLETION_WAIT);
      pkHere = pkOf(shown);
      const lines = output.split("\n").filter((line) => line !== "…");
      expect(shown.split("\n").map(unchanging)).toEqual(expect.arrayContaining(lines.map(unchanging)));
      expect(unchanging(bodyOf(shown))).toBe(unchanging(bodyOf(output)));
    }
  },
);

test.skipIf(CURL === undefined)("the command that npm start prints places an order", async () => {
  const command = /^ *(curl .+)$/m.exec(banner(readSettings(sharedService().env), { addresses: [] }))?.[1];

  expect(await run(command ?? "")).toMatch(/^HTTP\/1\.1 200 OK$/m);
});

/** The lines of a console's block: each command after a prompt, with its continuation lines, and its output. */
function examplesOf(block: string): Example[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const [, command = "", output = ""] = /^((?:.*\\\n)*.*)\n?([\s\S]*)$/.exec(text) ?? [];
      // The README wraps bodies, so that they can be read.
      return { command, output: output.trimEnd().replaceAll(/,\n +/g, ",") };
    });
}

async function run(command: string): Promise<string> {
  const { stdout } = await promisify(execFile)("sh", ["-c", command], {
    env: { PATH: `${dirname(CURL ?? "")}:${process.env.PATH}` },
  });
  return stdout.replaceAll("\r", "");
}

/** What comes after the head, where one is shown. */
const bodyOf = (text: string): string => text.split("\n\n").at(-1) ?? "";

const unchanging = (line: string): string =>
  line
    .replaceAll(PK, "pk")
    .replaceAll(TIME, "time")
    .replace(/^retry-after: \d+$/, "retry-after: seconds");
