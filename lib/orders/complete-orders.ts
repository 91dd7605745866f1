import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { ServiceError } from "../errors.ts";
import { type Command, runCommand, script, scriptCommand } from "../redis/commands.ts";
import { COMPLETED_STREAM, orderKey, PENDING_KEY } from "../redis/keys.ts";
import { countMetric, durationMetric, logger } from "../telemetry.ts";
import completeOrdersLua from "./complete-orders.lua" with { type: "text" };
import { dueTime } from "./completion-delay.ts";
import { Order, OrderPk } from "./order.ts";
import { hardBound } from "./retention.ts";

const completeOrdersScript = script(completeOrdersLua);

/** The codes of `complete-orders.lua`. */
export const CompletionCode = { completed: 1, wasCompleted: 2, wasRefunded: 3, unknown: 4, failed: 5 } as const;
export type CompletionCode = (typeof CompletionCode)[keyof typeof CompletionCode];

/** Log messages. All of these are normal with at-least-once delivery. */
const OUTCOMES = {
  [CompletionCode.completed]: "Order completed",
  [CompletionCode.wasCompleted]: "Order was completed before",
  [CompletionCode.wasRefunded]: "Order was refunded before it was due",
  [CompletionCode.unknown]: "There is no such order to complete",
} as const;

/** The event that a schedule sends to `completeOrder`. */
export const DueOrder = z.object({ pk: OrderPk });
export type DueOrder = z.infer<typeof DueOrder>;

export interface CompleteOrderDependencies {
  readonly redis: Redis;
  /** About how many entries `order_completed` keeps. */
  readonly streamMaxLength: number;
}

/** A code for each order, Redis's error for each that failed, and the id of the first announcement, if there is one. */
export type Completions = readonly [codes: readonly CompletionCode[], errors: readonly string[], firstId: string];

const completionsOf = (orders: number) =>
  z.tuple([z.array(z.enum(CompletionCode)).check(z.length(orders)), z.array(z.string()), z.string()]);

const ORDER_FIELDS = Object.keys(Order.shape);

/** Created once: that takes a tenth of the CPU time of a completion. */
const ONE_COMPLETION = completionsOf(1);

/**
 * The command that completes orders and announces each on `order_completed`, in one script.
 * @param pks one to a few hundred: the script blocks the database while it runs
 * @param now the time, in ms since the epoch
 * @param streamMaxLength about how many entries `order_completed` keeps
 */
export function completeOrdersCommand(
  pks: readonly string[],
  now: number,
  streamMaxLength: number,
): Command<Completions> {
  return scriptCommand(
    completeOrdersScript,
    pks.length === 1 ? ONE_COMPLETION : completionsOf(pks.length),
    [PENDING_KEY, COMPLETED_STREAM, ...pks.map(orderKey)],
    [new Date(now).toISOString(), hardBound(streamMaxLength), ...pks, ...ORDER_FIELDS],
  );
}

/** Logs and counts the orders of a batch that failed. They stay pending, and the next sweep retries them. */
export function reportFailures(pks: readonly string[], [codes, errors]: Completions): void {
  const failed = pks.filter((_, index) => codes[index] === CompletionCode.failed);
  if (failed.length === 0) return;
  countMetric("CompletionFailures", failed.length);
  logger.error("Orders could not be completed: they stay pending", { pks: failed, errors: [...new Set(errors)] });
}

/**
 * Completes the order whose schedule fired. A second delivery, a refunded order and an unknown order are not errors.
 * @param now the time, in ms since the epoch
 * @throws ServiceError `redis_failed`, `redis_invalid_reply`: the invocation must be retried
 */
export async function completeOrder(
  { redis, streamMaxLength }: CompleteOrderDependencies,
  { pk }: DueOrder,
  now: number,
): Promise<void> {
  const completions = await runCommand(redis, completeOrdersCommand([pk], now, streamMaxLength));
  reportFailures([pk], completions);
  const [[code = CompletionCode.unknown], [error]] = completions;
  if (code === CompletionCode.failed) throw new ServiceError("redis_failed", { cause: new Error(error) });
  if (code === CompletionCode.completed) {
    countMetric("OrdersCompleted");
    durationMetric("CompletionLag", now - dueTime(pk));
  }
  logger.info(OUTCOMES[code], { pk });
}
