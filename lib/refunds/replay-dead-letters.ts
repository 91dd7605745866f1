import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { runCommand, script, scriptCommand } from "../redis/commands.ts";
import { DEAD_REFUND_STREAM, REFUND_STREAM } from "../redis/keys.ts";
import replayDeadRefundsLua from "./replay-dead-letters.lua" with { type: "text" };

const replayDeadRefundsScript = script(replayDeadRefundsLua);

/** The codes of `replay-dead-letters.lua`. */
export const ReplayDeadRefundCode = { replayed: 1, gone: 2 } as const;
type ReplayDeadRefundCode = (typeof ReplayDeadRefundCode)[keyof typeof ReplayDeadRefundCode];

/**
 * Moves dead letters back to the stream of refund requests, each exactly once however often this runs.
 * @param ids of dead letters, one to a few dozen: each may have a few kilobytes, and the script blocks the database
 * @returns a code for each, in their order; `gone` also when an earlier attempt of this call, whose reply was lost, moved it
 * @throws ServiceError `redis_failed`, `redis_invalid_reply`: retrying is safe
 */
export async function replayDeadRefunds(redis: Redis, ids: readonly string[]): Promise<ReplayDeadRefundCode[]> {
  const codes = z.array(z.enum(ReplayDeadRefundCode)).check(z.length(ids.length));
  return runCommand(
    redis,
    scriptCommand(replayDeadRefundsScript, codes, [DEAD_REFUND_STREAM, REFUND_STREAM], [...ids]),
  );
}
