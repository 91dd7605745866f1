import type { Redis } from "@upstash/redis";
import { countMetric, durationMetric, logger } from "../observability.ts";
import { dueTime } from "../order.ts";
import { runPipeline } from "../redis/pipeline.ts";
import { parseReply } from "../redis/reply.ts";
import { CompleteOrderCode, CompleteOrdersReply } from "../redis/reply-codes.ts";
import { completeOrdersCommand, type DueOrder } from "./complete-orders.ts";

/** What each reply says to the person on call; all but the first are ordinary with at-least-once delivery. */
const OUTCOMES: Record<CompleteOrderCode, string> = {
  [CompleteOrderCode.completed]: "Order completed",
  [CompleteOrderCode.wasCompleted]: "Order was completed before",
  [CompleteOrderCode.wasRefunded]: "Order was refunded before it was due",
  [CompleteOrderCode.unknown]: "There is no such order to complete",
};

/**
 * Completes the order whose schedule fired. A second delivery, a refunded order and an unknown one are successes.
 * @param now the time, in ms since the epoch
 * @throws OrderError `redis_failed`, `redis_replied_nonsense`: the caller's invocation is to be retried
 */
export async function completeOrder(redis: Redis, { pk }: DueOrder, now: number): Promise<void> {
  const [reply] = await runPipeline(redis, [completeOrdersCommand([pk], now)]);
  const [code] = parseReply(CompleteOrdersReply, reply);
  if (code === undefined) return;
  if (code === CompleteOrderCode.completed) {
    countMetric("OrdersCompleted");
    durationMetric("CompletionLag", now - dueTime(pk));
  }
  logger.info(OUTCOMES[code], { pk });
}
