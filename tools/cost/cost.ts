import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { z } from "zod";
import { readParameters } from "../../infra/parameters.ts";
import { stackResources } from "../../infra/stack.ts";
import { table } from "../../test/support/markdown.ts";
import { type Outcome, parseOptions, runTool, writeResults } from "../command.ts";
import { type Counts, countOperations, type Operation } from "./count.ts";
import priceList from "./prices.json" with { type: "json" };

const USAGE = `npm run cost -- [--orders 500] [--write]

Places orders at the built functions on real Redis, counts what AWS and Upstash would bill, and prints what a million cost.

  --orders <n>  how many orders are placed and counted
  --write       writes the results into docs/cost.md
`;

const MILLION = 1_000_000;
const BYTES_PER_GB = 1_000_000_000;
const BYTES_PER_MB = 1_000_000;
const RUNS_PER_MONTH = 30 * 24 * 60;

/** The share of orders that are refunded. */
const REFUNDS = 0.05;

/** Per route: Count, 4xx, 5xx, Latency, IntegrationLatency, DataProcessed (API Gateway Developer Guide, "Metrics for HTTP APIs"). */
const METRICS_PER_ROUTE = 6;
/** `POST /orders` and `GET /orders/{pk}`; routes that nobody calls write no metric. */
const ROUTES_OF_ORDERS = 2;
/** A line of the access log as infra/api.ts has it, about. */
const ACCESS_LOG_BYTES = 250;
/** The address and tokens of Redis: serverless.yml, `custom.redis`. */
const SECRETS = 1;

const Options = z.object({
  orders: z.coerce.number().int().min(1).max(100_000).default(500),
  write: z.boolean().default(false),
});
const Resource = z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()) });
const Parameters = z.object({ default: z.record(z.string(), z.unknown()) });

const { prices, assumptions, upstashPlans, upstashPlansSource } = priceList;

/** One line of a bill. */
export interface Line {
  readonly part: string;
  readonly quantity: number;
  readonly unit: string;
  readonly usd: number;
}

/** What exists all month, as `infra/` generates it. */
export type Infrastructure = Readonly<Record<"alarmMetrics" | "customMetrics" | "dashboards", number>>;

async function cost({ orders, write }: z.infer<typeof Options>): Promise<Outcome> {
  const counts = await countOperations(orders, (step) => process.stderr.write(`${step}\n`));
  const report = reportOf(counts, await readInfrastructure());
  if (write) await writeResults("cost.md", `From ${decimal(orders)} orders:\n\n${report}\n\n${sourcesOf()}`);
  return { output: `${report}\n` };
}

/**
 * What a million orders cost at list prices, without free tiers.
 * @param reads of each order
 */
export function ordersBill({ operations, storedBytesPerOrder }: Counts, reads: number): Line[] {
  const { create, get, complete, drainOne, drainIdle } = operations;
  const apiRequests = MILLION * (1 + reads);
  return [
    line("API Gateway, HTTP API", "httpApiRequest", apiRequests),
    ...callLines("", (use) => {
      // A refund turns one idle run of the poller into one with work.
      return MILLION * (use(create) + use(complete) + reads * use(get) + REFUNDS * (use(drainOne) - use(drainIdle)));
    }),
    line("EventBridge Scheduler", "schedulerInvocation", MILLION * create.requests.scheduler),
    line("Upstash, storage, for each month", "upstashGbMonth", (storedBytesPerOrder * MILLION) / BYTES_PER_GB),
    line("CloudWatch Logs, API", "logsGb", (apiRequests * ACCESS_LOG_BYTES) / BYTES_PER_GB),
  ];
}

/** What a month costs with or without orders. */
export function monthlyBill({ operations: { drainIdle, sweepIdle } }: Counts, infrastructure: Infrastructure): Line[] {
  return [
    ...callLines(" of the pollers", (use) => RUNS_PER_MONTH * (use(drainIdle) + use(sweepIdle))),
    line("CloudWatch, own metrics", "customMetricMonth", infrastructure.customMetrics),
    line("CloudWatch, metrics of each route", "customMetricMonth", METRICS_PER_ROUTE * ROUTES_OF_ORDERS),
    line("CloudWatch, alarms", "alarmMetricMonth", infrastructure.alarmMetrics),
    line("CloudWatch, dashboard", "dashboardMonth", infrastructure.dashboards),
    line("Secrets Manager", "secretMonth", SECRETS),
  ];
}

/** What calls of functions cost: `total` sums over all calls what one of them uses. */
function callLines(suffix: string, total: (use: (operation: Operation) => number) => number): Line[] {
  return [
    line(
      `Lambda, requests${suffix}`,
      "lambdaRequest",
      total(() => 1),
    ),
    line(`Lambda, compute${suffix}`, "lambdaGbSecond", total(gbSeconds)),
    line(`Upstash, commands${suffix}`, "upstashCommand", total(commandCount)),
    line(
      `CloudWatch Logs${suffix || ", functions"}`,
      "logsGb",
      total(({ logBytes }) => logBytes / BYTES_PER_GB),
    ),
  ];
}

/** Each Fixed plan of Upstash: from how many orders per month on it is cheaper than Pay-as-you-go, and how many fit. */
export function plansOf({ storedBytesPerOrder }: Counts, orders: readonly Line[], month: readonly Line[]) {
  const [perMillion, idle] = [usdOf(orders, "Upstash, commands"), usdOf(month, "Upstash, commands of the pollers")];
  return upstashPlans.map(({ name, usdPerMonth, megabytes }) => ({
    name,
    usdPerMonth,
    breakEvenOrders: ((usdPerMonth - idle) / perMillion) * MILLION,
    capacityOrders: (megabytes * BYTES_PER_MB) / storedBytesPerOrder,
  }));
}

/**
 * How long a call is billed on Lambda, in ms, by a model: all of the measured time is taken as CPU time, which Lambda gives in
 * proportion to memory, plus the waits for Redis and EventBridge Scheduler, plus the share of cold starts. It is rather too
 * long, above all for cold starts, which get more CPU.
 */
export function billedMs({ warmMs, coldMs, memoryMb, requests: { upstash, scheduler } }: Operation): number {
  const { coldStartShare, fullVcpuMb, redisRoundTripMs, schedulerRoundTripMs } = assumptions;
  const slowness = Math.max(1, fullVcpuMb.value / memoryMb);
  const waitMs = upstash * redisRoundTripMs.value + scheduler * schedulerRoundTripMs.value;
  const billed = (ms: number) => Math.ceil(ms * slowness + waitMs);
  return (1 - coldStartShare.value) * billed(warmMs) + coldStartShare.value * billed(coldMs);
}

/** Counted in what `infra/` generates: an alarm on a calculation is billed for each metric that it reads. */
export async function readInfrastructure(): Promise<Infrastructure> {
  const file = await readFile(new URL("../../infra/parameters.yml", import.meta.url), "utf8");
  const parameters = readParameters({ ...Parameters.parse(parse(file)), stage: {}, commandLine: [] });
  const resources = z.array(Resource).parse(Object.values(stackResources("orders-dev", parameters).Resources));
  const ofType = (type: string) =>
    resources.filter(({ Type }) => Type === type).map(({ Properties }) => JSON.stringify(Properties));
  const [alarms, dashboards] = [ofType("AWS::CloudWatch::Alarm"), ofType("AWS::CloudWatch::Dashboard")];
  const metricsOf = (alarm: string) => Math.max(1, alarm.split('"MetricStat"').length - 1);
  // Of the namespace Orders, and of the stage's own below it.
  const own = dashboards.flatMap((body) => body.match(/\[\\"Orders(\/[\w-]+)?\\",\\"\w+/g) ?? []);
  return {
    alarmMetrics: alarms.reduce((sum, alarm) => sum + metricsOf(alarm), 0),
    customMetrics: new Set(own).size,
    dashboards: dashboards.length,
  };
}

export const totalUsd = (lines: readonly Line[]): number => lines.reduce((total, { usd }) => total + usd, 0);

export const usdOf = (lines: readonly Line[], part: string): number =>
  totalUsd(lines.filter((each) => each.part === part));

function line(part: string, price: keyof typeof prices, quantity: number): Line {
  const { usd, per, unit } = prices[price];
  return { part, quantity, unit, usd: (quantity * usd) / per };
}

const gbSeconds = (operation: Operation): number => (operation.memoryMb / 1024) * (billedMs(operation) / 1_000);

const commandCount = ({ commands }: Operation): number =>
  Object.values(commands).reduce((sum, calls) => sum + calls, 0);

/** The bill as Markdown tables that are readable in a terminal too. */
function reportOf(counts: Counts, infrastructure: Infrastructure): string {
  const { create, get, complete, drainIdle, drainOne, sweepIdle } = counts.operations;
  const calls = Object.entries({
    "place an order": create,
    "read an order": get,
    "complete an order": complete,
    "poll, no refund": drainIdle,
    "poll, one refund": drainOne,
    "sweep, nothing overdue": sweepIdle,
  }).map(([name, operation]) => [
    name,
    `${operation.functionName}, ${operation.memoryMb} MB`,
    `${billedMs(operation).toFixed(0)} ms`,
    decimal(operation.requests.upstash),
    decimal(commandCount(operation)),
    `${Math.round(operation.logBytes)} B`,
  ]);
  // Two reads are those of a client that follows Retry-After, ten of one that reads twice a second for 5 seconds.
  const [two, ten, one] = [ordersBill(counts, 2), ordersBill(counts, 10), ordersBill(counts, 1)];
  const month = monthlyBill(counts, infrastructure);
  const total = (...bills: (readonly Line[])[]) => bills.map((bill) => `**${dollars(totalUsd(bill))}**`);
  const amount = ({ part, quantity, unit }: Line) => [part, `${decimal(quantity)} ${unit}`];
  const right = { numbersFrom: 1 };
  return [
    table(["a call", "function", "billed (model)", "Redis requests", "Redis commands", "log"], calls, right),
    table(
      [`a million orders, ${REFUNDS * 100} % refunded`, "with two reads each", "USD", "USD with ten", "USD with one"],
      [
        ...two.map((each) => [...amount(each), ...[two, ten, one].map((bill) => dollars(usdOf(bill, each.part)))]),
        ["**total**", "", ...total(two, ten, one)],
      ],
      right,
    ),
    table(
      ["a month, with or without orders", "quantity", "USD"],
      [...month.map((each) => [...amount(each), dollars(each.usd)]), ["**total**", "", ...total(month)]],
      right,
    ),
    table(
      ["Upstash plan", "USD per month", "cheaper than Pay-as-you-go from", "holds"],
      plansOf(counts, two, month).map(({ name, usdPerMonth, breakEvenOrders, capacityOrders }) => [
        name,
        dollars(usdPerMonth),
        `${decimal(Number(breakEvenOrders.toPrecision(3)))} orders per month`,
        `${decimal(Number(capacityOrders.toPrecision(3)))} orders`,
      ]),
      right,
    ),
  ].join("\n\n");
}

function sourcesOf(): string {
  const sources = Object.entries(prices).map(([name, { usd, per, unit, region, source, date, note }]) => [
    name,
    `$${usd} per ${per === 1 ? unit.replace(/(?<=[a-z])s$/, "") : `${decimal(per)} ${unit}`}`,
    region,
    `[${date}](${source})`,
    note,
  ]);
  return [
    table(["price", "USD", "Region", "taken on", "note"], sources),
    `Upstash plans: [${upstashPlansSource.date}](${upstashPlansSource.source}). ${upstashPlansSource.note}`,
    table(
      ["assumption", "", "note"],
      Object.entries(assumptions).map(([name, { value, note }]) => [name, decimal(value), note]),
    ),
  ].join("\n\n");
}

const dollars = (usd: number): string => `$${usd.toFixed(2)}`;

const decimal = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 });

if (import.meta.main) {
  await runTool({ usage: USAGE, readOptions: (args) => parseOptions(Options, args), run: cost });
}
