import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { type Command, MAX_PIPELINE_MS, reportGauge, runPipeline } from "../redis/commands.ts";
import { DEAD_REFUND_STREAM, REFUND_STREAM } from "../redis/keys.ts";
import { RECLAIM, readRefundsCommand, refundBatch, reportSettled, settleRefundsCommand } from "./refund-requests.ts";

/** The poller does not read a batch that it might not settle in time: one request reads it, the next one settles it. */
const RESERVE_MS = 2 * MAX_PIPELINE_MS + 1_000;

const refundBacklog = lengthOf(REFUND_STREAM);
const deadRefunds = lengthOf(DEAD_REFUND_STREAM);
const GAUGES = [refundBacklog, deadRefunds];

/**
 * Settles refund requests until none is left or the time is nearly up: first those that another run left pending, then new ones.
 * Settling a batch and reading the next share one request; the last batch is settled without reading another.
 * @param clock gives the time, in ms since the epoch
 * @param remainingTimeMs gives the time that is left, in ms
 * @throws ServiceError `redis_failed`, `redis_invalid_reply`: unsettled requests stay pending, and a later run reclaims them
 */
export async function drainRefunds(redis: Redis, clock: () => number, remainingTimeMs: () => number): Promise<void> {
  let read = readRefundsCommand(RECLAIM);
  let replies = await runPipeline(redis, [read, ...GAUGES]);
  try {
    let batch = refundBatch(replies.of(read));
    while (batch.requests.length > 0) {
      const settle = settleRefundsCommand(batch.requests, clock());
      const more = remainingTimeMs() > RESERVE_MS;
      read = readRefundsCommand(batch.cursor);
      replies = await runPipeline(redis, [settle, ...(more ? [read] : []), ...GAUGES]);
      reportSettled(batch.requests, replies.of(settle));
      if (!more) break;
      batch = refundBatch(replies.of(read));
    }
  } finally {
    // Also when the run fails, because alarms need the metrics then.
    reportGauge("RefundBacklog", replies, refundBacklog);
    reportGauge("RefundDeadLetters", replies, deadRefunds);
  }
}

function lengthOf(stream: string): Command<number> {
  return { reply: z.int(), add: (pipeline) => pipeline.xlen(stream) };
}
