import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { countMetric, logger } from "../observability.ts";
import { PENDING_KEY } from "../redis/keys.ts";
import { type Command, runPipeline } from "../redis/pipeline.ts";
import { parseReply } from "../redis/reply.ts";
import { CompleteOrderCode, CompleteOrdersReply } from "../redis/reply-codes.ts";
import type { TimeLeft } from "../time-left.ts";
import { completeOrdersCommand } from "./complete-orders.ts";

/** How long a schedule may be late before the sweep takes over: EventBridge Scheduler is precise to 60 seconds. */
export const SWEEP_GRACE_MS = 60_000;

const BATCH_SIZE = 200;

/** The sweep begins no further batch with less time left than one call to Redis may take, twice. */
const RESERVE_MS = 5_000;

const OverdueReply = z.array(z.string());

/**
 * Completes every order that is overdue by more than the grace, oldest first, until none is left or time is nearly out.
 * Completing a batch and listing the next share one request.
 * @param now the time, in ms since the epoch
 * @returns how many orders it completed
 * @throws OrderError `redis_failed`, `redis_replied_nonsense`: batches done before stay done
 */
export async function sweepOrders(redis: Redis, now: number, timeLeft: TimeLeft): Promise<number> {
  const listOverdue: Command = (pipeline) =>
    pipeline.zrange(PENDING_KEY, "-inf", now - SWEEP_GRACE_MS, { byScore: true, offset: 0, count: BATCH_SIZE });
  let completed = 0;
  let [listed] = await runPipeline(redis, [listOverdue]);
  let overdue = parseReply(OverdueReply, listed);
  while (overdue.length > 0 && timeLeft() > RESERVE_MS) {
    const replies = await runPipeline(redis, [completeOrdersCommand(overdue, now), listOverdue]);
    completed += settle(overdue, parseReply(CompleteOrdersReply, replies[0]));
    listed = replies[1];
    overdue = parseReply(OverdueReply, listed);
  }
  if (overdue.length > 0) logger.warn("The sweep ran out of time: the next one goes on");
  if (completed > 0) logger.info("Overdue orders completed", { completed });
  return completed;
}

function settle(pks: readonly string[], codes: readonly CompleteOrderCode[]): number {
  const unknown = pks.filter((_, index) => codes[index] === CompleteOrderCode.unknown);
  if (unknown.length > 0) logger.warn("Pending orders without an order were dropped from the index", { pks: unknown });
  const completed = codes.filter((code) => code === CompleteOrderCode.completed).length;
  countMetric("OrdersCompletedBySweep", completed);
  return completed;
}
