import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { countMetric, durationMetric, logger } from "../observability.ts";
import { dueTime, OrderPk } from "../order.ts";
import { COMPLETED_STREAM, PENDING_KEY } from "../redis/keys.ts";
import { reportLevel } from "../redis/level.ts";
import { type Command, MAX_PIPELINE_MS, runPipeline, script, scriptCommand } from "../redis/pipeline.ts";
import completedStreamLagLua from "../scripts/completed-stream-lag.lua" with { type: "text" };
import { CompletionCode, type Completions, completeOrdersCommand, reportFailures } from "./complete-orders.ts";

/** How long a schedule may be late before the sweep takes over: EventBridge Scheduler is precise to 60 seconds. */
export const SWEEP_GRACE_MS = 60_000;

const BATCH_SIZE = 200;

/** No batch is begun that might not end in time. */
const RESERVE_MS = MAX_PIPELINE_MS + 1_000;

/**
 * Passes in a row that may list nothing but the batch before. One is a script cache that was lost (the list ran before the
 * script) or a batch that failed. Two are a member whose bytes are no text: it comes back as another one, and no pass can
 * drop it from the index.
 */
const MAX_IDLE_PASSES = 2;

/** Entries of `order_completed` that its slowest consumer group has not read. It makes the stream when it is missing. */
const consumerLag = scriptCommand(script(completedStreamLagLua), z.int(), [COMPLETED_STREAM], []);

/**
 * Completes every order that is overdue by more than the grace, oldest first, until none is left or time is nearly out.
 * An order that cannot be completed stays pending and is passed over. Completing a batch and listing the next share one
 * request.
 * @param now the clock, in ms since the epoch; what is overdue is settled when the sweep begins
 * @param streamMaxLength the most entries that `order_completed` keeps, about
 * @param timeLeft how long the invocation may still take, in ms
 * @throws OrderError `redis_failed`, `redis_replied_nonsense`: batches done before stay done
 */
export async function sweepOrders(
  redis: Redis,
  now: () => number,
  streamMaxLength: number,
  timeLeft: () => number,
): Promise<void> {
  const overdueSince = now() - SWEEP_GRACE_MS;
  const list = (offset: number) => listOverdue(overdueSince, offset);
  const count = countOverdue(overdueSince);

  let listing = list(0);
  let replies = await runPipeline(redis, [listing, count, consumerLag]);
  reportLevel("OverdueOrders", replies, count);
  reportLevel("ConsumerLag", replies, consumerLag);
  let overdue = replies.of(listing);
  let batch: string[] = [];
  let failures = 0;
  let idlePasses = 0;
  while (overdue.length > 0 && idlePasses < MAX_IDLE_PASSES && timeLeft() > RESERVE_MS) {
    const previous = new Set(batch);
    const due = overdue.filter((pk) => !previous.has(pk));
    listing = list(failures);
    if (due.length > 0) {
      const completedAt = now();
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
  if (overdue.length > 0) logger.warn("The sweep left overdue orders: the next one goes on");
}

/** @param offset how many of the oldest to pass over: those whose completion failed in this sweep */
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
    // Another writer's pk may be no ULID, and tells no time.
    if (OrderPk.safeParse(pk).success) durationMetric("CompletionLag", completedAt - dueTime(pk));
  }
  if (completed.length > 0) logger.info("Overdue orders completed", { pks: completed });
  if (unknown.length > 0) logger.warn("Pending orders without an order were dropped from the index", { pks: unknown });
  reportFailures(pks, completions);
  return errors.length;
}
