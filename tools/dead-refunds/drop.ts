import type { Redis } from "@upstash/redis";
import { z } from "zod";
import { DEAD_REFUND_STREAM } from "../../lib/redis/keys.ts";
import { runCommand } from "../../lib/redis/pipeline.ts";
import { chunks, lettersOf } from "./letters.ts";
import { deadLetters, print, showLetter } from "./show.ts";
import { reportUnknown } from "./unknown.ts";

/**
 * Shows these dead letters and deletes them for ever.
 * @param agreed asks whether to go on
 * @returns false when an id was not there (the others are dropped all the same), or when it was not agreed to
 */
export async function drop(
  redis: Redis,
  ids: readonly string[],
  agreed: (question: string) => Promise<boolean>,
): Promise<boolean> {
  const known: string[] = [];
  for (const chunk of chunks(ids)) {
    for (const letter of await lettersOf(redis, chunk, "whole")) {
      known.push(letter.id);
      await print(showLetter(letter));
    }
  }
  const allKnown = reportUnknown(ids.filter((id) => !known.includes(id)));
  if (known.length === 0) return allKnown;
  if (!(await agreed(`Drop ${deadLetters(known.length)} for ever?`))) {
    await print("Nothing was dropped");
    return false;
  }
  let dropped = 0;
  for (const chunk of chunks(known)) {
    dropped += await runCommand(redis, { reply: z.int(), add: (pipeline) => pipeline.xdel(DEAD_REFUND_STREAM, chunk) });
  }
  await print(`Dropped ${deadLetters(dropped)}`);
  return allKnown;
}
