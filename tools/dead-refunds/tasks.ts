import { once } from "node:events";
import type { Redis } from "@upstash/redis";
import { z } from "zod";
import { runCommand } from "../../lib/redis/commands.ts";
import { DEAD_REFUND_STREAM } from "../../lib/redis/keys.ts";
import { ReplayDeadRefundCode, replayDeadRefunds } from "../../lib/refunds/replay-dead-letters.ts";
import { formatDeadLetter, PAGE_SIZE, readByIds, readPages, reasonOf } from "./dead-letters.ts";

interface Counts {
  readonly replayed: number;
  readonly gone: number;
}

/** Prints every dead letter, then how many there are of each reason. Holds one page of them at a time. */
export async function list(redis: Redis): Promise<boolean> {
  const counts = new Map<string, number>();
  for await (const page of readPages(redis, "whole")) {
    for (const letter of page) {
      counts.set(reasonOf(letter), (counts.get(reasonOf(letter)) ?? 0) + 1);
      await print(formatDeadLetter(letter));
    }
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const reasons = [...counts].map(([reason, count]) => `${count.toLocaleString("en")} ${reason}`);
  await print(total === 0 ? "There are no dead letters" : `${deadLetters(total)}: ${reasons.sort().join(", ")}`);
  return true;
}

/**
 * Puts these dead letters back on the stream of refund requests.
 * @returns false when an id was not found; the others are put back all the same
 */
export async function replay(redis: Redis, ids: readonly string[]): Promise<boolean> {
  let counts: Counts = { replayed: 0, gone: 0 };
  const unknown: string[] = [];
  for (const chunk of chunks(ids)) {
    // Read first: a letter that disappears after this was put back by another run, or by this one when its reply was
    // lost, so its id is not unknown.
    const known = (await readByIds(redis, chunk, "ids")).map(({ id }) => id);
    unknown.push(...chunk.filter((id) => !known.includes(id)));
    counts = await putBack(redis, known, counts);
  }
  await report(counts);
  return reportUnknown(unknown);
}

/** Puts back every dead letter that exists now. Those refused again meanwhile stay for the next run. */
export async function replayAll(redis: Redis): Promise<boolean> {
  let counts: Counts = { replayed: 0, gone: 0 };
  for await (const page of readPages(redis, "ids")) {
    const ids = page.map(({ id }) => id);
    counts = await putBack(redis, ids, counts);
    await print(`${counts.replayed.toLocaleString("en")} put back, up to ${ids.at(-1)}`);
  }
  await report(counts);
  return true;
}

/**
 * Prints these dead letters and deletes them.
 * @param confirm asks whether to go on
 * @returns false when an id was not found (the others are deleted all the same), or when the answer was no
 */
export async function drop(
  redis: Redis,
  ids: readonly string[],
  confirm: (question: string) => Promise<boolean>,
): Promise<boolean> {
  const known: string[] = [];
  for (const chunk of chunks(ids)) {
    for (const letter of await readByIds(redis, chunk, "whole")) {
      known.push(letter.id);
      await print(formatDeadLetter(letter));
    }
  }
  const allKnown = reportUnknown(ids.filter((id) => !known.includes(id)));
  if (known.length === 0) return allKnown;
  if (!(await confirm(`Delete ${deadLetters(known.length)}?`))) {
    await print("Nothing was deleted");
    return false;
  }
  let dropped = 0;
  for (const chunk of chunks(known)) {
    dropped += await runCommand(redis, { reply: z.int(), add: (pipeline) => pipeline.xdel(DEAD_REFUND_STREAM, chunk) });
  }
  await print(`Deleted ${deadLetters(dropped)}`);
  return allKnown;
}

async function putBack(redis: Redis, ids: readonly string[], before: Counts): Promise<Counts> {
  if (ids.length === 0) return before;
  const codes = await replayDeadRefunds(redis, ids);
  const replayed = codes.filter((code) => code === ReplayDeadRefundCode.replayed).length;
  return { replayed: before.replayed + replayed, gone: before.gone + ids.length - replayed };
}

async function report({ replayed, gone }: Counts): Promise<void> {
  await print(`Put back ${deadLetters(replayed)} on refund_order`);
  if (gone > 0) await print(`${deadLetters(gone)} had been put back or deleted meanwhile`);
}

/** Names the ids that were not found, one a line. True when there are none. */
function reportUnknown(ids: readonly string[]): boolean {
  for (const id of ids) process.stderr.write(`There is no dead letter ${id}\n`);
  return ids.length === 0;
}

function chunks<Item>(items: readonly Item[]): Item[][] {
  return Array.from({ length: Math.ceil(items.length / PAGE_SIZE) }, (_, page) =>
    items.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE),
  );
}

/** Writes a line, no faster than the reader reads. */
async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
}

/** `1 dead letter`, `2,000 dead letters` */
function deadLetters(count: number): string {
  return `${count.toLocaleString("en")} dead letter${count === 1 ? "" : "s"}`;
}
