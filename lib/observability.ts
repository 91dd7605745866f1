import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { MiddlewareObj } from "@middy/core";

/** JSON lines on standard output; level and service name come from the POWERTOOLS_ environment variables. */
export const logger = new Logger();

/** Counts in CloudWatch's embedded metric format: log lines too, so counting makes no call. */
const metrics = new Metrics({ namespace: "Orders" });

export type MetricName =
  | "OrdersCreated"
  | "OrdersReplayed"
  | "OrdersCompleted"
  | "OrdersCompletedBySweep"
  | "RefundsApplied"
  | "RefundsDeadLettered"
  | "ScheduleFailures";

/** Counts something that happened in this invocation. Nothing happened: nothing is written. */
export function countMetric(name: MetricName, count = 1): void {
  if (count > 0) metrics.addMetric(name, MetricUnit.Count, count);
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
