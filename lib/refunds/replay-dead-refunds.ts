import type { Redis } from "@upstash/redis";
import { DEAD_REFUND_STREAM, REFUND_STREAM } from "../redis/keys.ts";
import { runPipeline, scriptCommand } from "../redis/pipeline.ts";
import { parseReply } from "../redis/reply.ts";
import { type ReplayDeadRefundCode, ReplayDeadRefundsReply } from "../redis/reply-codes.ts";
import { script } from "../redis/script.ts";
import replayDeadRefundsLua from "../scripts/replay-dead-refunds.lua" with { type: "text" };

const replayDeadRefundsScript = script(replayDeadRefundsLua);

/**
 * Puts dead letters back on the stream of refund requests, each exactly once however often this runs: a letter that was
 * put back is gone.
 * @param ids of dead letters, one to a few dozen: each may be of a megabyte, and the script holds up the whole database
 * @returns a code for each, in their order; `gone` also for what this very call put back when its first reply was lost
 * @throws OrderError `redis_failed`, `redis_replied_nonsense`: the same call may be made again
 */
export async function replayDeadRefunds(redis: Redis, ids: readonly string[]): Promise<ReplayDeadRefundCode[]> {
  const command = scriptCommand(replayDeadRefundsScript, [DEAD_REFUND_STREAM, REFUND_STREAM], [...ids]);
  const [reply] = await runPipeline(redis, [command]);
  return parseReply(ReplayDeadRefundsReply, reply);
}
