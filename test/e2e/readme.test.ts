import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { fetchDocumented } from "../support/contract.ts";
import { type Curl, readCurl } from "../support/curl.ts";
import { blocksOf } from "../support/markdown.ts";
import { type Offline, startOffline } from "../support/offline.ts";
import { runScript } from "../support/run.ts";
import { runPoller } from "./service.ts";

/** On a machine so busy that a completion takes longer than its function may, the sweep completes the order. */
const PATIENCE_MS = 180_000;

/** What differs from run to run, and what it is called instead. A pk keeps its number: which order it is matters. */
const CHANGING: readonly (readonly [RegExp, string])[] = [
  [/\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g, "pk"],
  [/\b\d{13}-\d+\b/g, "id"],
  [/\b[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\b/g, "uuid"],
  [/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, "time"],
  [/\b\d+\.\d s\b/g, "seconds"],
  [/\b\d+ ms\b/g, "ms"],
];

interface Example {
  readonly command: string;
  readonly output: string;
}

const README = await readFile(new URL("../../README.md", import.meta.url), "utf8");
const EXAMPLES = blocksOf(README, "console").flatMap(examplesOf);
const CURL = EXAMPLES.filter(({ command }) => command.startsWith("curl "));
const [DEMO, ...MORE_DEMOS] = EXAMPLES.filter(({ command }) => command.includes("demo"));

let service: Offline;

beforeAll(async () => {
  service = await startOffline();
});
afterAll(() => service?.stop());

test("every example of the README is one that is tried here", () => {
  expect(CURL.length).toBeGreaterThan(5);
  expect(MORE_DEMOS).toEqual([]);
  expect(CURL.length + 1).toBe(EXAMPLES.length);
});

test("each example of curl gets what the README shows, one after the other", { timeout: 2 * PATIENCE_MS }, async () => {
  const pkOf = (text: string) => /\/orders\/(\w{26})/.exec(text)?.[1] ?? "no pk";
  const pkThere = pkOf(CURL[0]?.output ?? "");
  let pkHere = pkThere;
  for (const { command, output } of CURL) {
    if (output.includes('"status":"refunded"')) await runPoller(service);
    const curl = readCurl(here(command).replaceAll(pkThere, pkHere));
    const reply = await send(curl, /"status":"(\w+)"/.exec(output)?.[1]);
    if (curl.showsHead) pkHere = pkOf(reply.head.join("\n"));
    const shown = output.split("\n\n");
    const head = curl.showsHead ? (shown.shift() ?? "").split("\n").filter((line) => line !== "…") : [];
    expect(reply.head.map(unchanging)).toEqual(expect.arrayContaining(head.map(unchanging)));
    expect(shown.map(unchanging)).toEqual([unchanging(reply.body)]);
  }
});

test("the demo writes what the README shows", { timeout: PATIENCE_MS }, async () => {
  const args = DEMO?.command.match(/-- (.+) \| cat$/)?.[1]?.split(" ") ?? [];

  const { code, stdout } = await runScript("tools/demo.ts", args, { ...service.env, FORCE_COLOR: "" });

  expect(code).toBe(0);
  // Orders that are on their way at once report in any order.
  expect(linesOf(stdout).toSorted()).toEqual(linesOf(DEMO?.output ?? "").toSorted());
});

/** The lines of a console's block: what was typed after the prompt, with its continuations, and what came of it. */
function examplesOf(block: string): Example[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const [, command = "", output = ""] = /^((?:.*\\\n)*.*)\n?([\s\S]*)$/.exec(text) ?? [];
      return { command, output: output.trimEnd() };
    });
}

/** The same command at the service of the test. */
function here(command: string): string {
  return command
    .replace("localhost:3000", new URL(service.api).host)
    .replace("localhost:8079", `localhost:${service.env.ORDERS_UPSTASH_PORT}`);
}

/** Sends it once or, when it reads an order, until the order has the status that is shown. */
async function send({ url, init }: Curl, status: string | undefined): Promise<{ head: string[]; body: string }> {
  return vi.waitUntil(
    async () => {
      const reply = await fetchFrom(url, init);
      const headers = [...reply.headers].map((header) => header.join(": "));
      const body = await reply.text();
      if (init.method === undefined && !body.includes(`"status":"${status}"`)) return undefined;
      return { head: [`HTTP/1.1 ${reply.status} ${reply.statusText}`, ...headers], body };
    },
    { timeout: PATIENCE_MS, interval: 200 },
  );
}

/** The database of this machine is asked in Upstash's way; all else that the README asks is in openapi.yaml. */
const fetchFrom = (url: string, init: RequestInit): Promise<Response> =>
  new URL(url).host === new URL(service.api).host ? fetchDocumented(url, init) : fetch(url, init);

/** What must be as the README shows it: columns grow with what they hold. */
function unchanging(text: string): string {
  return CHANGING.reduce((changed, [pattern, name]) => changed.replaceAll(pattern, name), text).replaceAll(/ +/g, " ");
}

function linesOf(output: string): string[] {
  return unchanging(output).trim().split("\n");
}
