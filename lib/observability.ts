import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { MiddlewareObj } from "@middy/core";
import { loggedError } from "./log-error.ts";

/** JSON lines on standard output; level and service name come from the POWERTOOLS_ environment variables. */
export const logger = new Logger({ jsonReplacerFn: loggedError });

/** CloudWatch's embedded metric format: metrics are log lines too, so measuring makes no call. */
const metrics = new Metrics({ namespace: "Orders" });

export type CountMetric =
  | "OrdersCreated"
  | "OrdersReplayed"
  | "OrdersCompleted"
  | "OrdersCompletedBySweep"
  | "RefundsApplied"
  | "CompletionFailures"
  | "RefundsDeadLettered"
  | "RefundsTrimmed"
  | "RefundFailures"
  | "ScheduleFailures"
  | "RedisErrors"
  | "InventoryErrors";

/** How many there are of something now; zero is written too, so that an alarm sees that it is over. */
export type LevelMetric = "OverdueOrders" | "ConsumerLag" | "RefundBacklog" | "RefundDeadLetters";

export type DurationMetric = "CompletionLag" | "RedisLatency" | "InventoryLatency";

/** Counts something that happened in this invocation. Nothing happened: nothing is written. */
export function countMetric(name: CountMetric, count = 1): void {
  if (count > 0) metrics.addMetric(name, MetricUnit.Count, count);
}

export function levelMetric(name: LevelMetric, level: number): void {
  metrics.addMetric(name, MetricUnit.Count, level);
}

/** @param ms a duration, kept to 0.1 ms; a negative one, of two clocks that differ, counts as none */
export function durationMetric(name: DurationMetric, ms: number): void {
  metrics.addMetric(name, MetricUnit.Milliseconds, Math.max(0, Math.round(ms * 10) / 10));
}

/** The part of every middy stack that ties log lines to their invocation and writes its metrics at its end. */
export function observed<Event, Result>(): MiddlewareObj<Event, Result> {
  const flush = () => {
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
  };
  return {
    before: ({ context }) => logger.addContext(context),
    after: flush,
    onError: flush,
  };
}
