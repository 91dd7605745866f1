import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { DEAD_REFUND_STREAM, REFUND_STREAM } from "../redis/keys.ts";
import { runCommand, script, scriptCommand } from "../redis/pipeline.ts";
import replayDeadRefundsLua from "../scripts/replay-dead-refunds.lua" with { type: "text" };

const replayDeadRefundsScript = script(replayDeadRefundsLua);

/** The codes of `replay-dead-refunds.lua`. */
export const ReplayDeadRefundCode = { replayed: 1, gone: 2 } as const;
type ReplayDeadRefundCode = (typeof ReplayDeadRefundCode)[keyof typeof ReplayDeadRefundCode];

/**
 * Puts dead letters back on the stream of refund requests, each exactly once however often this runs: a letter that was
 * put back is gone.
 * @param ids of dead letters, one to a few dozen: each may have a few kilobytes, and the script holds up the whole database
 * @returns a code for each, in their order; `gone` also for what this very call put back when its first reply was lost
 * @throws OrderError `redis_failed`, `redis_replied_nonsense`: the same call may be made again
 */
export async function replayDeadRefunds(redis: Redis, ids: readonly string[]): Promise<ReplayDeadRefundCode[]> {
  const codes = z.array(z.enum(ReplayDeadRefundCode)).check(z.length(ids.length));
  return runCommand(
    redis,
    scriptCommand(replayDeadRefundsScript, codes, [DEAD_REFUND_STREAM, REFUND_STREAM], [...ids]),
  );
}
