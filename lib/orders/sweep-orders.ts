import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { countMetric, durationMetric, levelMetric, logger } from "../observability.ts";
import { dueTime, OrderPk } from "../order.ts";
import { PENDING_KEY } from "../redis/keys.ts";
import { type Command, MAX_PIPELINE_MS, runPipeline } from "../redis/pipeline.ts";
import { parseReply } from "../redis/reply.ts";
import { CompleteOrderCode, CompleteOrdersReply } from "../redis/reply-codes.ts";
import type { TimeLeft } from "../time-left.ts";
import { completeOrdersCommand } from "./complete-orders.ts";

/** How long a schedule may be late before the sweep takes over: EventBridge Scheduler is precise to 60 seconds. */
export const SWEEP_GRACE_MS = 60_000;

const BATCH_SIZE = 200;

/** No batch is begun that might not end in time. */
const RESERVE_MS = MAX_PIPELINE_MS + 1_000;

/**
 * Passes in a row that may list what they settled. Once is a script cache that was lost: the list ran before the script.
 * Twice is a member whose bytes are no text: it comes back as another one, and no pass can drop it from the index.
 */
const MAX_FRUITLESS = 2;

const OverdueReply = z.array(z.string());
const CountReply = z.int();

/**
 * Completes every order that is overdue by more than the grace, oldest first, until none is left or time is nearly out.
 * Completing a batch and listing the next share one request.
 * @param now the clock, in ms since the epoch; what is overdue is settled when the sweep begins
 * @throws OrderError `redis_failed`, `redis_replied_nonsense`: batches done before stay done
 */
export async function sweepOrders(redis: Redis, now: () => number, timeLeft: TimeLeft): Promise<void> {
  const overdueSince = now() - SWEEP_GRACE_MS;
  const list: Command = (pipeline) =>
    pipeline.zrange(PENDING_KEY, "-inf", overdueSince, { byScore: true, offset: 0, count: BATCH_SIZE });
  const count: Command = (pipeline) => pipeline.zcount(PENDING_KEY, "-inf", overdueSince);

  const [listed, counted] = await runPipeline(redis, [list, count]);
  levelMetric("OverdueOrders", parseReply(CountReply, counted));
  let overdue = parseReply(OverdueReply, listed);
  let fruitless = 0;
  while (overdue.length > 0 && fruitless < MAX_FRUITLESS && timeLeft() > RESERVE_MS) {
    const completedAt = now();
    const [codes, next] = await runPipeline(redis, [completeOrdersCommand(overdue, completedAt), list]);
    report(overdue, parseReply(CompleteOrdersReply, codes), completedAt);
    const settled = new Set(overdue);
    overdue = parseReply(OverdueReply, next);
    fruitless = overdue.every((pk) => settled.has(pk)) ? fruitless + 1 : 0;
  }
  if (overdue.length > 0) logger.warn("The sweep left overdue orders: the next one goes on");
}

function report(pks: readonly string[], codes: readonly CompleteOrderCode[], completedAt: number): void {
  const withCode = (code: CompleteOrderCode) => pks.filter((_, index) => codes[index] === code);
  const completed = withCode(CompleteOrderCode.completed);
  const unknown = withCode(CompleteOrderCode.unknown);
  countMetric("OrdersCompletedBySweep", completed.length);
  for (const pk of completed) {
    // Another writer's pk may be no ULID, and tells no time.
    if (OrderPk.safeParse(pk).success) durationMetric("CompletionLag", completedAt - dueTime(pk));
  }
  if (completed.length > 0) logger.info("Overdue orders completed", { pks: completed });
  if (unknown.length > 0) logger.warn("Pending orders without an order were dropped from the index", { pks: unknown });
}
