import { once } from "node:events";
import type { Redis } from "@upstash/redis";
import { z } from "zod";
import { type Command, runCommand, runPipeline, script } from "../../lib/redis/commands.ts";
import { DEAD_LETTER_STREAM } from "../../lib/redis/keys.ts";
import { ReplayCode, replayDeadLetters } from "../../lib/refunds/replay-dead-letters.ts";
import readDeadLettersLua from "./read-dead-letters.lua" with { type: "text" };

/** How many dead letters are read or put back at once: each may have some kilobytes. */
const PAGE_SIZE = 50;

/** How many are counted or deleted at once. */
const ID_PAGE_SIZE = 1_000;

/** How many are shown before they are deleted. */
const MAX_SHOWN = 100;

/** How much of a dead letter is shown: its head and 20 fields of the request, 120 bytes of each value. */
const MAX_VALUES = 2 * (3 + 20);
const MAX_VALUE_BYTES = 120;

/** Its reason, and no more. */
const REASON_ONLY = 2;

const HEAD = ["dead_reason", "dead_id", "dead_at"];
const MAX_NAME_WIDTH = 24;

/** Well-formed UTF-8 by characters, and single bytes where it is not (RFC 3629, section 4), on a latin1 string. */
const UNITS = /[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\s\S]/g;

/** What would move a terminal's cursor, be invisible, or turn the reading direction; and what marks an ill-formed sequence. */
const UNPRINTABLE = /\p{C}|\p{Zl}|\p{Zp}|\ufffd/u;

const readDeadLettersScript = script(readDeadLettersLua);

/** A name or a value: its first bytes, and how many it has. */
const TruncatedBytes = z
  .tuple([z.string(), z.int()])
  .transform(([hex, length]) => ({ start: Buffer.from(hex, "hex"), length }));
type TruncatedBytes = z.infer<typeof TruncatedBytes>;

const DeadLetter = z.tuple([z.string(), z.int(), z.array(TruncatedBytes)]).transform(([id, values, words]) => ({
  id,
  /** The first names and values, in turn. */
  words,
  fieldCount: values / 2,
}));
type DeadLetter = z.infer<typeof DeadLetter>;

const Page = z.tuple([z.string().nullable(), z.array(DeadLetter)]);
type Page = z.infer<typeof Page>;

/** Which dead letters: these ids, or all that exist now, or those of them with a reason. */
export type Selection = { readonly ids: readonly string[] } | { readonly reason: string } | "all";

/** Dead letters that exist, and the ids among those asked for that do not. */
interface Found {
  readonly ids: readonly string[];
  readonly unknown: readonly string[];
  /** How many there are, and of which reasons, in one line. */
  readonly summary: string;
}

/** Prints how many dead letters there are of each reason, then each. Holds one page of them at a time. */
export async function list(redis: Redis): Promise<boolean> {
  const { ids, summary } = await find(redis, "all");
  await print(summary);
  if (ids.length > 0) await show(redis, "-", ids.at(-1));
  return true;
}

/**
 * Puts dead letters back on the stream of refund requests. Those refused again during the run stay for the next one.
 * @returns false when an id was not found; the others are put back all the same
 */
export async function replay(redis: Redis, selection: Selection): Promise<boolean> {
  // Found first: a letter that disappears after this was put back by another run, or by this one when its reply was lost,
  // so its id is not unknown.
  const { ids, unknown, summary } = await find(redis, selection);
  await print(summary);
  let replayed = 0;
  for (const page of pagesOf(ids, PAGE_SIZE)) {
    const codes = await replayDeadLetters(redis, page);
    replayed += codes.filter((code) => code === ReplayCode.replayed).length;
    if (ids.length > PAGE_SIZE) await print(`${replayed.toLocaleString("en")} put back, up to ${page.at(-1)}`);
  }
  await print(`Put back ${deadLetters(replayed)} on refund_order`);
  const gone = ids.length - replayed;
  if (gone > 0) await print(`${deadLetters(gone)} had been put back or deleted meanwhile`);
  return reportUnknown(unknown);
}

/**
 * Prints how many dead letters these are, and the first of them, and deletes them.
 * @param confirm asks whether to go on
 * @returns false when an id was not found (the others are deleted all the same), or when the answer was no
 */
export async function drop(
  redis: Redis,
  selection: Selection,
  confirm: (question: string) => Promise<boolean>,
): Promise<boolean> {
  const { ids, unknown, summary } = await find(redis, selection);
  await print(summary);
  for (const id of ids.slice(0, MAX_SHOWN)) await show(redis, id, id);
  if (ids.length > MAX_SHOWN) await print(`… and ${deadLetters(ids.length - MAX_SHOWN)} more: list shows them\n`);
  const allKnown = reportUnknown(unknown);
  if (ids.length === 0) return allKnown;
  if (!(await confirm(`Delete ${deadLetters(ids.length)}?`))) {
    await print("Nothing was deleted");
    return false;
  }
  let dropped = 0;
  for (const page of pagesOf(ids, ID_PAGE_SIZE)) {
    dropped += await runCommand(redis, { reply: z.int(), add: (pipeline) => pipeline.xdel(DEAD_LETTER_STREAM, page) });
  }
  await print(`Deleted ${deadLetters(dropped)}`);
  return allKnown;
}

async function find(redis: Redis, selection: Selection): Promise<Found> {
  const ids: string[] = [];
  const counts = new Map<string, number>();
  const pages =
    typeof selection === "object" && "ids" in selection
      ? readById(redis, selection.ids)
      : readRange(redis, "-", "+", ID_PAGE_SIZE, REASON_ONLY);
  for await (const page of pages) {
    for (const letter of page) {
      const reason = deadReason(letter);
      if (typeof selection === "object" && "reason" in selection && selection.reason !== reason) continue;
      ids.push(letter.id);
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
  }
  const reasons = [...counts].map(([reason, count]) => `${count.toLocaleString("en")} ${reason}`);
  const known = new Set(ids);
  return {
    ids,
    unknown: typeof selection === "object" && "ids" in selection ? selection.ids.filter((id) => !known.has(id)) : [],
    summary:
      ids.length === 0 ? "There are no such dead letters" : `${deadLetters(ids.length)}: ${reasons.sort().join(", ")}`,
  };
}

/** Prints the dead letters from one id to another. */
async function show(redis: Redis, first: string, last = "+"): Promise<void> {
  for await (const page of readRange(redis, first, last, PAGE_SIZE, MAX_VALUES)) {
    for (const letter of page) await print(formatDeadLetter(letter));
  }
}

/** Reads those that exist, without their fields. */
async function* readById(redis: Redis, ids: readonly string[]): AsyncGenerator<DeadLetter[]> {
  for (const page of pagesOf(ids, PAGE_SIZE)) {
    const ranges = page.map((id) => range(id, id, 1, REASON_ONLY));
    const replies = await runPipeline(redis, ranges);
    yield ranges.flatMap((each) => replies.of(each)[1]);
  }
}

/**
 * Reads dead letters a page at a time, oldest first. Those written during the read are left out.
 * @param maxValues how many names and values of each are read
 */
async function* readRange(
  redis: Redis,
  start: string,
  end: string,
  pageSize: number,
  maxValues: number,
): AsyncGenerator<DeadLetter[]> {
  const [newest, first] = await runCommand(redis, range(start, end, pageSize, maxValues));
  const last = newest ?? end;
  let letters = first;
  while (letters.length > 0) {
    yield letters;
    [, letters] = await runCommand(redis, range(`(${letters.at(-1)?.id}`, last, pageSize, maxValues));
  }
}

/** A dead letter for people: a line with its id, reason and time, then a line for each of the request's own fields. */
function formatDeadLetter({ id, words, fieldCount }: DeadLetter): string {
  const head = HEAD.map((name, at) => (textOf(words[2 * at]) === name ? textOf(words[2 * at + 1]) : undefined));
  const [reason, firstId, at] = head;
  const isWhole = head.every((value) => value !== undefined);
  const own = isWhole ? words.slice(2 * HEAD.length) : words;
  const hidden = fieldCount - words.length / 2;
  return [
    isWhole ? `${id}  ${reason}  ${at}  first id ${firstId}` : `${id}  was not written by the refund poller`,
    ...fieldLines(own),
    ...(hidden > 0 ? [`    … and ${hidden.toLocaleString("en")} more fields`] : []),
    "",
  ].join("\n");
}

/** Why the request was refused. */
function deadReason({ words }: DeadLetter): string {
  return textOf(words[0]) === HEAD[0] ? (textOf(words[1]) ?? "") : "unknown";
}

/** By the read-only commands, so that a read-only token can list. */
function range(first: string, last: string, count: number, maxValues: number): Command<Page> {
  const { sha1, lua } = readDeadLettersScript;
  const args = [first, last, count, maxValues, MAX_VALUE_BYTES];
  return {
    reply: Page,
    add: (pipeline, cached) =>
      cached ? pipeline.evalshaRo(sha1, [DEAD_LETTER_STREAM], args) : pipeline.evalRo(lua, [DEAD_LETTER_STREAM], args),
  };
}

function fieldLines(words: readonly TruncatedBytes[]): string[] {
  const texts = words.map((word) => textOf(word) ?? "");
  const names = texts.filter((_, at) => at % 2 === 0);
  const width = Math.min(MAX_NAME_WIDTH, Math.max(...names.map((name) => name.length)));
  return names.map((name, at) => `    ${name.padEnd(width)}  ${texts[2 * at + 1] ?? ""}`.trimEnd());
}

function textOf(word: TruncatedBytes | undefined): string | undefined {
  if (!word) return undefined;
  const text = printable(word.start);
  return word.length > word.start.length ? `${text}… (${word.length.toLocaleString("en")} bytes)` : text;
}

/** Bytes as one line of text: what is not a visible character, or not UTF-8, is `\xNN`, and a backslash is doubled. */
function printable(bytes: Buffer): string {
  return bytes.toString("latin1").replace(UNITS, (unit) => {
    const character = Buffer.from(unit, "latin1").toString("utf8");
    if (UNPRINTABLE.test(character)) return escapeBytes(unit);
    return character === "\\" ? "\\\\" : character;
  });
}

const escapeBytes = (unit: string): string =>
  Array.from(unit, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`).join("");

/** Names the ids that were not found, one a line. True when there are none. */
function reportUnknown(unknown: readonly string[]): boolean {
  for (const id of unknown) process.stderr.write(`There is no dead letter ${id}\n`);
  return unknown.length === 0;
}

function pagesOf(ids: readonly string[], size: number): string[][] {
  return Array.from({ length: Math.ceil(ids.length / size) }, (_, page) => ids.slice(page * size, (page + 1) * size));
}

/** Writes a line, no faster than the reader reads. */
async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
}

/** `1 dead letter`, `2,000 dead letters` */
function deadLetters(count: number): string {
  return `${count.toLocaleString("en")} dead letter${count === 1 ? "" : "s"}`;
}
