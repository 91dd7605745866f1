import { readFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { fetchDocumented } from "../support/contract.ts";
import { blocksOf } from "../support/markdown.ts";
import { sharedService } from "./service.ts";

/** On a machine so busy that a completion takes longer than its function may, the sweep completes the order. */
const PATIENCE_MS = 180_000;

/** What differs from run to run, and what it is called instead. A pk keeps its number: which order it is matters. */
const CHANGING: readonly (readonly [RegExp, string])[] = [
  [/\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g, "pk"],
  [/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, "time"],
];

interface Example {
  readonly command: string;
  readonly output: string;
}

/** What a command line of curl asks for. */
interface Curl {
  readonly url: string;
  readonly init: RequestInit;
  /** Whether the head of the reply is shown too (`-i`). */
  readonly showsHead: boolean;
}

const README = await readFile(new URL("../../README.md", import.meta.url), "utf8");

const EXAMPLES = blocksOf(README, "console").flatMap(examplesOf);

const service = sharedService();

test("each example of the README gets what it shows, one after the other", { timeout: 2 * PATIENCE_MS }, async () => {
  const pkOf = (text: string) => /\/orders\/(\w{26})/.exec(text)?.[1] ?? "no pk";
  const pkThere = pkOf(EXAMPLES[0]?.output ?? "");
  let pkHere = pkThere;
  expect(EXAMPLES.length).toBeGreaterThan(1);
  for (const { command, output } of EXAMPLES) {
    const curl = readCurl(here(command).replaceAll(pkThere, pkHere));
    const reply = await send(curl, /"status":"(\w+)"/.exec(output)?.[1]);
    if (curl.showsHead) pkHere = pkOf(reply.head.join("\n"));
    const shown = output.split("\n\n");
    const head = curl.showsHead ? (shown.shift() ?? "").split("\n").filter((line) => line !== "…") : [];
    expect(reply.head.map(unchanging)).toEqual(expect.arrayContaining(head.map(unchanging)));
    expect(shown.map(unchanging)).toEqual([unchanging(reply.body)]);
  }
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
  return command.replace("localhost:3000", new URL(service.api).host);
}

/** Sends it once or, when it reads an order, until the order has the status that is shown. */
async function send({ url, init }: Curl, status: string | undefined): Promise<{ head: string[]; body: string }> {
  return vi.waitUntil(
    async () => {
      const reply = await fetchDocumented(url, init);
      const headers = [...reply.headers].map((header) => header.join(": "));
      const body = await reply.text();
      if (init.method === undefined && !body.includes(`"status":"${status}"`)) return undefined;
      return { head: [`HTTP/1.1 ${reply.status} ${reply.statusText}`, ...headers], body };
    },
    { timeout: PATIENCE_MS, interval: 200 },
  );
}

/** What must be as the README shows it: columns grow with what they hold. */
function unchanging(text: string): string {
  return CHANGING.reduce((changed, [pattern, name]) => changed.replaceAll(pattern, name), text).replaceAll(/ +/g, " ");
}

/**
 * Reads a command line as the pages of the project have it: words, quoted words, and the options -i, -H and -d.
 * @throws Error for any other option, so that no example is sent other than it is written
 */
function readCurl(command: string): Curl {
  const [program, ...words] = wordsOf(command);
  if (program !== "curl") throw new Error(`Not a command of curl: ${command}`);
  const headers = new Headers();
  let url = "";
  let body: string | undefined;
  let showsHead = false;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "-i") showsHead = true;
    else if (word === "-H") {
      const [name = "", value = ""] = (words.shift() ?? "").split(/: */, 2);
      headers.set(name, value);
    } else if (word === "-d") {
      body = words.shift() ?? "";
      // As curl does, unless the command says what it sends.
      if (!headers.has("content-type")) headers.set("content-type", "application/x-www-form-urlencoded");
    } else if (word.startsWith("-")) throw new Error(`An option of curl that is not read here: ${word}`);
    else url = `http://${word}`;
  }
  return { url, init: body === undefined ? { headers } : { method: "POST", headers, body }, showsHead };
}

function wordsOf(command: string): string[] {
  const oneLine = command.replaceAll(/\\\n\s*/g, "");
  return [...oneLine.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}
