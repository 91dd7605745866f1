import type { Redis } from "@upstash/redis";
import { z } from "zod";
import { type Command, runPipeline, script } from "../../lib/redis/commands.ts";
import { DEAD_REFUND_STREAM } from "../../lib/redis/keys.ts";
import readDeadRefundsLua from "./read-dead-refunds.lua" with { type: "text" };

/** How many dead letters are read, put back or dropped at once: each may have some kilobytes. */
export const PAGE_SIZE = 50;

/** How much of a dead letter is shown: its head and 20 fields of the request, 120 bytes of each value. */
const MAX_VALUES = 2 * (3 + 20);
const MAX_VALUE_BYTES = 120;

const HEAD = ["dead_reason", "dead_id", "dead_at"];
const MAX_NAME_WIDTH = 24;

/** Well-formed UTF-8 by characters, and single bytes where it is not (RFC 3629, section 4), on a latin1 string. */
const UNITS = /[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\s\S]/g;

/** What would move a terminal's cursor, be invisible, or turn the reading direction; and what marks an ill-formed sequence. */
const UNPRINTABLE = /\p{C}|\p{Zl}|\p{Zp}|\ufffd/u;

const readDeadRefundsScript = script(readDeadRefundsLua);

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
export type DeadLetter = z.infer<typeof DeadLetter>;

const Page = z
  .tuple([z.string().nullable(), z.array(DeadLetter)])
  .transform(([newest, letters]) => ({ newest: newest ?? undefined, letters }));
type Page = z.infer<typeof Page>;

/** Whether the fields of dead letters are read too. */
type Detail = "whole" | "ids";

/** All dead letters that exist now, a page at a time, oldest first; those written meanwhile are left out. */
export async function* readPages(redis: Redis, detail: Detail): AsyncGenerator<DeadLetter[]> {
  let [page] = await read(redis, [range("-", "+", PAGE_SIZE, detail)]);
  const newest = page?.newest ?? "-";
  while (page && page.letters.length > 0) {
    yield page.letters;
    [page] = await read(redis, [range(`(${page.letters.at(-1)?.id}`, newest, PAGE_SIZE, detail)]);
  }
}

/** The dead letters with these ids; an id that does not exist is left out. */
export async function readByIds(redis: Redis, ids: readonly string[], detail: Detail): Promise<DeadLetter[]> {
  const ranges = ids.map((id) => range(id, id, 1, detail));
  return (await read(redis, ranges)).flatMap(({ letters }) => letters);
}

/** A dead letter for people: a line with its id, reason and time, then a line for each of the request's own fields. */
export function formatDeadLetter({ id, words, fieldCount }: DeadLetter): string {
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
export function reasonOf({ words }: DeadLetter): string {
  return textOf(words[0]) === HEAD[0] ? (textOf(words[1]) ?? "") : "unknown";
}

async function read(redis: Redis, ranges: readonly Command<Page>[]): Promise<Page[]> {
  const replies = await runPipeline(redis, ranges);
  return ranges.map((range) => replies.of(range));
}

/** By the read-only commands, so that a read-only token can list. */
function range(first: string, last: string, count: number, detail: Detail): Command<Page> {
  const { sha1, lua } = readDeadRefundsScript;
  const args = [first, last, count, detail === "whole" ? MAX_VALUES : 0, MAX_VALUE_BYTES];
  return {
    reply: Page,
    add: (pipeline, cached) =>
      cached ? pipeline.evalshaRo(sha1, [DEAD_REFUND_STREAM], args) : pipeline.evalRo(lua, [DEAD_REFUND_STREAM], args),
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
