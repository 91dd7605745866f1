import type { Redis } from "@upstash/redis";
import { ReplayDeadRefundCode, replayDeadRefunds } from "../../lib/refunds/replay-dead-refunds.ts";
import { chunks, lettersOf, pages } from "./letters.ts";
import { deadLetters, print } from "./show.ts";
import { reportUnknown } from "./unknown.ts";

interface Counts {
  readonly replayed: number;
  readonly gone: number;
}

/**
 * Puts these dead letters back on the stream of refund requests.
 * @returns false when an id was not there; the others are put back all the same
 */
export async function replay(redis: Redis, ids: readonly string[]): Promise<boolean> {
  let counts: Counts = { replayed: 0, gone: 0 };
  const unknown: string[] = [];
  for (const chunk of chunks(ids)) {
    // Looked up first: a letter that goes away only after this was put back by another run, or by this one when the
    // reply was lost, and that is no reason to call its id unknown.
    const known = (await lettersOf(redis, chunk, "ids")).map(({ id }) => id);
    unknown.push(...chunk.filter((id) => !known.includes(id)));
    counts = await putBack(redis, known, counts);
  }
  await report(counts);
  return reportUnknown(unknown);
}

/** Puts back every dead letter that is there now. Those refused anew meanwhile stay for the next time. */
export async function replayAll(redis: Redis): Promise<boolean> {
  let counts: Counts = { replayed: 0, gone: 0 };
  for await (const page of pages(redis, "ids")) {
    const ids = page.map(({ id }) => id);
    counts = await putBack(redis, ids, counts);
    await print(`${counts.replayed.toLocaleString("en")} put back, up to ${ids.at(-1)}`);
  }
  await report(counts);
  return true;
}

async function putBack(redis: Redis, ids: readonly string[], before: Counts): Promise<Counts> {
  if (ids.length === 0) return before;
  const codes = await replayDeadRefunds(redis, ids);
  const replayed = codes.filter((code) => code === ReplayDeadRefundCode.replayed).length;
  return { replayed: before.replayed + replayed, gone: before.gone + ids.length - replayed };
}

async function report({ replayed, gone }: Counts): Promise<void> {
  await print(`Put back ${deadLetters(replayed)} on refund_order`);
  if (gone > 0) await print(`${deadLetters(gone)} had been put back or dropped meanwhile`);
}
