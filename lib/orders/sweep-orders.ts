import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { type Command, MAX_PIPELINE_MS, reportGauge, runPipeline, script, scriptCommand } from "../redis/commands.ts";
import { COMPLETED_STREAM, PENDING_KEY } from "../redis/keys.ts";
import { countMetric, durationMetric, logger } from "../telemetry.ts";
import { CompletionCode, type Completions, completeOrdersCommand, reportFailures } from "./complete-orders.ts";
import completedStreamLagLua from "./completed-stream-lag.lua" with { type: "text" };
import { dueTime, SWEEP_GRACE_MS } from "./completion-delay.ts";
import { OrderPk } from "./order.ts";

const BATCH_SIZE = 200;

/** The sweep starts no batch that might not end in time. */
const RESERVE_MS = MAX_PIPELINE_MS + 1_000;

/**
 * How many passes in a row may list only orders of the previous batch. One happens when the script cache was lost (the list ran
 * before the script). After two the sweep stops: a member that is not valid UTF-8 cannot be removed over REST.
 */
const MAX_IDLE_PASSES = 2;

/** How many entries of `order_completed` the slowest consumer group has not read. Creates the stream if it is missing. */
const consumerLag = scriptCommand(script(completedStreamLagLua), z.int(), [COMPLETED_STREAM], []);

/**
 * Completes the orders that are overdue by more than the grace, oldest first, until none is left or the time is nearly up.
 * An order that cannot be completed stays pending. Completing a batch and listing the next share one
 * request.
 * @param clock gives the time, in ms since the epoch
 * @param streamMaxLength about how many entries `order_completed` keeps
 * @param remainingTimeMs gives the time that is left, in ms
 * @throws ServiceError `redis_failed`, `redis_invalid_reply`: completed batches stay completed
 */
export async function sweepOrders(
  redis: Redis,
  clock: () => number,
  streamMaxLength: number,
  remainingTimeMs: () => number,
): Promise<void> {
  const overdueSince = clock() - SWEEP_GRACE_MS;
  const list = (offset: number) => listOverdue(overdueSince, offset);
  const count = countOverdue(overdueSince);

  let listing = list(0);
  let replies = await runPipeline(redis, [listing, count, consumerLag]);
  reportGauge("OverdueOrders", replies, count);
  reportGauge("ConsumerLag", replies, consumerLag);
  let overdue = replies.of(listing);
  let batch: string[] = [];
  let failures = 0;
  let idlePasses = 0;
  while (overdue.length > 0 && idlePasses < MAX_IDLE_PASSES && remainingTimeMs() > RESERVE_MS) {
    const previous = new Set(batch);
    const due = overdue.filter((pk) => !previous.has(pk));
    listing = list(failures);
    if (due.length > 0) {
      const completedAt = clock();
      const complete = completeOrdersCommand(due, completedAt, streamMaxLength);
      replies = await runPipeline(redis, [complete, listing]);
      failures += report(due, replies.of(complete), completedAt);
      batch = due;
      idlePasses = 0;
    } else {
      replies = await runPipeline(redis, [listing]);
      idlePasses += 1;
    }
    overdue = replies.of(listing);
  }
  if (overdue.length > 0) logger.warn("The sweep left overdue orders. The next one continues");
}

/** @param offset how many of the oldest to skip: those that failed in this sweep */
function listOverdue(since: number, offset: number): Command<string[]> {
  return {
    reply: z.array(z.string()),
    add: (pipeline) => pipeline.zrange(PENDING_KEY, "-inf", since, { byScore: true, offset, count: BATCH_SIZE }),
  };
}

function countOverdue(since: number): Command<number> {
  return { reply: z.int(), add: (pipeline) => pipeline.zcount(PENDING_KEY, "-inf", since) };
}

/** @returns how many orders of the batch failed */
function report(pks: readonly string[], completions: Completions, completedAt: number): number {
  const [codes, errors] = completions;
  const withCode = (code: CompletionCode) => pks.filter((_, index) => codes[index] === code);
  const completed = withCode(CompletionCode.completed);
  const unknown = withCode(CompletionCode.unknown);
  countMetric("OrdersCompletedBySweep", completed.length);
  for (const pk of completed) {
    // Another writer's pk may not be a ULID, and has no time then.
    if (OrderPk.safeParse(pk).success) durationMetric("CompletionLag", completedAt - dueTime(pk));
  }
  if (completed.length > 0) logger.info("Overdue orders completed", { pks: completed });
  if (unknown.length > 0) logger.warn("Pending orders without an order were dropped from the index", { pks: unknown });
  reportFailures(pks, completions);
  return errors.length;
}
