import type { Redis } from "@upstash/redis";
import { z } from "zod";
import { DEAD_REFUND_STREAM } from "../../lib/redis/keys.ts";
import { type Command, runPipeline, script } from "../../lib/redis/pipeline.ts";
import readDeadRefundsLua from "./read-dead-refunds.lua" with { type: "text" };

/** How many dead letters are read, put back or dropped at once: each may have some kilobytes. */
export const PAGE_SIZE = 50;

/** What is shown of a letter: the head and 20 fields of the request, 120 bytes of each value. */
const MAX_VALUES = 2 * (3 + 20);
const MAX_BYTES = 120;

const readDeadRefundsScript = script(readDeadRefundsLua);

/** A name or a value: its first bytes, and how many it has. */
const Piece = z.tuple([z.string(), z.int()]).transform(([hex, length]) => ({ start: Buffer.from(hex, "hex"), length }));
export type Piece = z.infer<typeof Piece>;

const Letter = z.tuple([z.string(), z.int(), z.array(Piece)]).transform(([id, values, pieces]) => ({
  id,
  /** Names and values in turn, the first ones of them. */
  pieces,
  fields: values / 2,
}));
export type Letter = z.infer<typeof Letter>;

const Page = z
  .tuple([z.string().nullable(), z.array(Letter)])
  .transform(([newest, letters]) => ({ newest: newest ?? undefined, letters }));
type Page = z.infer<typeof Page>;

/** All dead letters that are there now, a page at a time, oldest first; those that come meanwhile are left out. */
export async function* pages(redis: Redis, show: "whole" | "ids"): AsyncGenerator<Letter[]> {
  let [page] = await read(redis, [range("-", "+", PAGE_SIZE, show)]);
  const newest = page?.newest ?? "-";
  while (page && page.letters.length > 0) {
    yield page.letters;
    [page] = await read(redis, [range(`(${page.letters.at(-1)?.id}`, newest, PAGE_SIZE, show)]);
  }
}

/** The dead letters of these ids, without those that are not there. */
export async function lettersOf(redis: Redis, ids: readonly string[], show: "whole" | "ids"): Promise<Letter[]> {
  const ranges = ids.map((id) => range(id, id, 1, show));
  return (await read(redis, ranges)).flatMap(({ letters }) => letters);
}

/** In pieces of a page's size. */
export function chunks<Item>(items: readonly Item[]): Item[][] {
  return Array.from({ length: Math.ceil(items.length / PAGE_SIZE) }, (_, page) =>
    items.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE),
  );
}

async function read(redis: Redis, ranges: readonly Command<Page>[]): Promise<Page[]> {
  const replies = await runPipeline(redis, ranges);
  return ranges.map((range) => replies.of(range));
}

/** By the read-only commands, so that a token that may only read can list. */
function range(first: string, last: string, count: number, show: "whole" | "ids"): Command<Page> {
  const { sha1, lua } = readDeadRefundsScript;
  const args = [first, last, count, show === "whole" ? MAX_VALUES : 0, MAX_BYTES];
  return {
    reply: Page,
    add: (pipeline, cached) =>
      cached ? pipeline.evalshaRo(sha1, [DEAD_REFUND_STREAM], args) : pipeline.evalRo(lua, [DEAD_REFUND_STREAM], args),
  };
}
