import type { Redis } from "@upstash/redis";
import { levelMetric } from "../observability.ts";
import { MAX_PIPELINE_MS, runPipeline } from "../redis/pipeline.ts";
import type { TimeLeft } from "../time-left.ts";
import { RECLAIM, type RefundBatch, readRefundsCommand, refundBatch } from "./read-refunds.ts";
import { reportSettled, settleRefundsCommand } from "./settle-refunds.ts";

/** No batch is read that might not be settled in time: reading it is one request, settling it the next. */
const RESERVE_MS = 2 * MAX_PIPELINE_MS + 1_000;

/**
 * Settles refund requests until none is left or time is nearly out: first what another run left pending, then new ones.
 * Settling a batch and reading the next share one request; the last batch is settled without reading another.
 * @param now the clock, in ms since the epoch
 * @throws OrderError `redis_failed`, `redis_replied_nonsense`: unsettled requests stay pending and are reclaimed later
 */
export async function drainRefunds(redis: Redis, now: () => number, timeLeft: TimeLeft): Promise<void> {
  const [reply] = await runPipeline(redis, [readRefundsCommand(RECLAIM)]);
  let batch: RefundBatch = refundBatch(reply);
  while (batch.requests.length > 0) {
    const settle = settleRefundsCommand(batch.requests, now());
    const more = timeLeft() > RESERVE_MS;
    const [codes, next] = await runPipeline(redis, more ? [settle, readRefundsCommand(batch.cursor)] : [settle]);
    reportSettled(batch.requests, codes);
    if (!more) break;
    batch = refundBatch(next);
  }
  levelMetric("RefundBacklog", batch.others);
}
