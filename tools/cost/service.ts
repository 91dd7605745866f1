import type { Counts } from "./counts.ts";
import { type Line, line, sumOf } from "./line.ts";
import { PRICES } from "./prices.ts";
import { total, type Usage, usageOf } from "./usage.ts";

export const MILLION = 1_000_000;
const BYTES_A_GB = 1_000_000_000;

/** A way to run the service, and what it costs. */
export interface Service {
  readonly name: string;
  readonly perMillionOrders: readonly Line[];
  /** Whether there are orders or not. */
  readonly perMonth: readonly Line[];
}

/** What the others share with this service, and what they differ in: rivals leave parts out and put theirs in. */
export const PART = {
  api: "API Gateway, HTTP API",
  requests: "Lambda, requests",
  compute: "Lambda, compute",
  timer: "EventBridge Scheduler",
  commands: "Upstash, commands",
  storage: "Upstash, storage, each month it is kept",
  ownLogs: "CloudWatch Logs, what functions write",
  accessLogs: "CloudWatch Logs, what the API writes",
  pollers: "what runs every minute",
  metrics: "CloudWatch, own metrics",
  routeMetrics: "CloudWatch, metrics of each route",
  alarms: "CloudWatch, alarms",
  dashboard: "CloudWatch, dashboard",
  secret: "Secrets Manager",
} as const;

export const minutesAMonth = (): number => PRICES.assumptions.hoursAMonth.value * 60;

/** The service as serverless.yml deploys it. */
export function thisService(counts: Counts): Service {
  return {
    name: "this service",
    perMillionOrders: perMillionOrders(counts),
    perMonth: perMonth(counts),
  };
}

/** @returns USD a month for so many orders */
export const monthlyUsd = (service: Service, ordersAMonth: number): number =>
  (sumOf(service.perMillionOrders) * ordersAMonth) / MILLION + sumOf(service.perMonth);

function perMillionOrders(counts: Counts): Line[] {
  const { create, get, complete, drainOne, drainIdle } = counts.operations;
  const { accessLogBytes } = counts.infrastructure;
  const of = (operation: typeof create) => usageOf(operation, PRICES);
  const refund = total([1, of(drainOne)], [-1, of(drainIdle)]);
  const used = total([1, of(create)], [1, of(get)], [1, of(complete)], [counts.refundShare, refund]);
  const httpRequests = (create.httpRequests + get.httpRequests) / counts.orders;
  const schedules = create.schedulerRequests / counts.orders;
  return [
    line(PART.api, "httpApiRequest", httpRequests * MILLION),
    ...lambdaLines(used, MILLION),
    line(PART.timer, "schedulerInvocation", schedules * MILLION),
    line(PART.commands, "upstashCommand", used.commands * MILLION),
    line(PART.storage, "upstashGbMonth", (counts.storedBytesAnOrder * MILLION) / BYTES_A_GB),
    line(PART.ownLogs, "logsGb", (used.ownLogBytes * MILLION) / BYTES_A_GB),
    line(PART.accessLogs, "logsGb", (httpRequests * accessLogBytes * MILLION) / BYTES_A_GB),
  ];
}

function perMonth({ operations, infrastructure }: Counts): Line[] {
  const { drainIdle, sweepIdle } = operations;
  const runs = minutesAMonth();
  const of = (operation: typeof drainIdle) => usageOf(operation, PRICES);
  const used = total([runs, of(drainIdle)], [runs, of(sweepIdle)]);
  const pollers = [
    ...lambdaLines(used, 1),
    line(PART.commands, "upstashCommand", used.commands),
    line("CloudWatch Logs", "logsGb", used.ownLogBytes / BYTES_A_GB),
  ].map((entry) => ({ ...entry, part: `${entry.part}: ${PART.pollers}` }));
  return [
    ...pollers,
    line(PART.metrics, "customMetricMonth", infrastructure.customMetrics),
    line(PART.routeMetrics, "customMetricMonth", infrastructure.routeMetrics),
    line(PART.alarms, "alarmMetricMonth", infrastructure.alarmMetrics),
    line(PART.dashboard, "dashboardMonth", infrastructure.dashboards),
    line(PART.secret, "secretMonth", infrastructure.secrets),
  ];
}

function lambdaLines(used: Usage, times: number): Line[] {
  return [
    line(PART.requests, "lambdaRequest", used.invocations * times),
    line(PART.compute, "lambdaGbSecond", used.gbSeconds * times, used.measuredGbSeconds * times),
  ];
}
