import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { DEAD_REFUND_STREAM, REFUND_STREAM } from "../redis/keys.ts";
import { reportLevel } from "../redis/level.ts";
import { type Command, MAX_PIPELINE_MS, runPipeline } from "../redis/pipeline.ts";
import { RECLAIM, readRefundsCommand, refundBatch } from "./read-refunds.ts";
import { reportSettled, settleRefundsCommand } from "./settle-refunds.ts";

/** No batch is read that might not be settled in time: reading it is one request, settling it the next. */
const RESERVE_MS = 2 * MAX_PIPELINE_MS + 1_000;

const refundBacklog = lengthOf(REFUND_STREAM);
const deadRefunds = lengthOf(DEAD_REFUND_STREAM);
const LEVELS = [refundBacklog, deadRefunds];

/**
 * Settles refund requests until none is left or time is nearly out: first what another run left pending, then new ones.
 * Settling a batch and reading the next share one request; the last batch is settled without reading another.
 * @param now the clock, in ms since the epoch
 * @param timeLeft how long the invocation may still take, in ms
 * @throws OrderError `redis_failed`, `redis_replied_nonsense`: unsettled requests stay pending and are reclaimed later
 */
export async function drainRefunds(redis: Redis, now: () => number, timeLeft: () => number): Promise<void> {
  let read = readRefundsCommand(RECLAIM);
  let replies = await runPipeline(redis, [read, ...LEVELS]);
  try {
    let batch = refundBatch(replies.of(read));
    while (batch.requests.length > 0) {
      const settle = settleRefundsCommand(batch.requests, now());
      const more = timeLeft() > RESERVE_MS;
      read = readRefundsCommand(batch.cursor);
      replies = await runPipeline(redis, [settle, ...(more ? [read] : []), ...LEVELS]);
      reportSettled(batch.requests, replies.of(settle));
      if (!more) break;
      batch = refundBatch(replies.of(read));
    }
  } finally {
    // As the last reply has them, also when a drain fails: an alarm must not go by what a failed run leaves out.
    reportLevel("RefundBacklog", replies, refundBacklog);
    reportLevel("RefundDeadLetters", replies, deadRefunds);
  }
}

function lengthOf(stream: string): Command<number> {
  return { reply: z.int(), add: (pipeline) => pipeline.xlen(stream) };
}
