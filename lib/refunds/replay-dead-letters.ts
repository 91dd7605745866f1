import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { runCommand, script, scriptCommand } from "../redis/commands.ts";
import { DEAD_LETTER_STREAM, REFUND_STREAM } from "../redis/keys.ts";
import replayDeadLettersLua from "./replay-dead-letters.lua" with { type: "text" };

const replayDeadLettersScript = script(replayDeadLettersLua);

/** The codes of `replay-dead-letters.lua`. */
export const ReplayCode = { replayed: 1, gone: 2 } as const;
type ReplayCode = (typeof ReplayCode)[keyof typeof ReplayCode];

/**
 * Moves dead letters back to the stream of refund requests, each exactly once however often this runs.
 * @param ids of dead letters, one to a few dozen: each may have a few kilobytes, and the script blocks the database
 * @returns a code for each, in their order; `gone` also when an earlier attempt of this call, whose reply was lost, moved it
 * @throws ServiceError `redis_failed`, `redis_invalid_reply`: retrying is safe
 */
export async function replayDeadLetters(redis: Redis, ids: readonly string[]): Promise<ReplayCode[]> {
  const codes = z.array(z.enum(ReplayCode)).check(z.length(ids.length));
  return runCommand(
    redis,
    scriptCommand(replayDeadLettersScript, codes, [DEAD_LETTER_STREAM, REFUND_STREAM], [...ids]),
  );
}
