import { z } from "zod";
import { readParameters, readParametersYml } from "../../infra/parameters.ts";
import { stackResources } from "../../infra/stack.ts";
import { type Completion, SWEEP_MIN_WAIT_MS, SWEEP_RUN_MS } from "../../lib/orders/completion-delay.ts";
import { type Outcome, table } from "../../tools/command.ts";
import { writeResults } from "../results.ts";
import { type Counts, countOperations, type Operation, SWEPT_ORDERS, SWEPT_PER_SECOND } from "./count.ts";
import priceList from "./prices.json" with { type: "json" };

const COMMANDS = "Upstash, commands";
const OF_POLLERS = " of the pollers";

const MILLION = 1_000_000;
const BYTES_PER_GB = 1_000_000_000;
const BYTES_PER_MB = 1_000_000;
const RUNS_PER_MONTH = 30 * 24 * 60;
const SECONDS_PER_MONTH = RUNS_PER_MONTH * 60;
/** Where a comparison of the two modes ends: 386 orders per second. */
const MAX_ORDERS = 1_000 * MILLION;

/** The share of orders that are refunded. */
const REFUNDS = 0.05;

/** Per route: Count, 4xx, 5xx, Latency, IntegrationLatency, DataProcessed (API Gateway Developer Guide, "Metrics for HTTP APIs"). */
const METRICS_PER_ROUTE = 6;
/** `POST /orders` and `GET /orders/{pk}`; routes without calls write no metric. */
const ROUTES_OF_ORDERS = 2;
/** A line of the access log as infra/api.ts has it, about. */
const ACCESS_LOG_BYTES = 250;
/** The address and tokens of Redis: serverless.yml, `custom.redis`. */
const SECRETS = 1;

const COMPLETIONS = ["scheduler", "sweep"] as const;

/** Numbers are aligned to the right. */
const RIGHT = { numbersFrom: 1 };

const Resource = z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()) });

const { prices, assumptions, upstashPlans, upstashPlansSource } = priceList;

/** One line of a bill. */
export interface Line {
  readonly part: string;
  readonly quantity: number;
  readonly unit: string;
  readonly usd: number;
}

/** How much of something a call uses. */
type Use = (operation: Operation) => number;

/** What exists all month, as `infra/` generates it. */
export type Infrastructure = Readonly<Record<"alarmMetrics" | "customMetrics" | "dashboards", number>>;

/** @param write whether the results are written into docs/cost.md */
export async function cost(orders: number, write: boolean): Promise<Outcome> {
  const counts = await countOperations(orders, (step) => process.stderr.write(`${step}\n`));
  const report = reportOf(counts, readInfrastructure());
  if (write) await writeResults("cost.md", `From ${decimal(orders)} orders:\n\n${report}\n\n${sourcesOf()}`);
  return { output: `${report}\n` };
}

/**
 * What orders cost in a month at list prices, without free tiers.
 * @param reads of each order
 * @param orders in the month, evenly spread
 */
export function ordersBill(counts: Counts, completion: Completion, reads: number, orders: number = MILLION): Line[] {
  const { create, createForSweep, get, complete, drainOne, drainIdle } = counts.operations;
  const apiRequests = orders * (1 + reads);
  const placed = completion === "scheduler" ? create : createForSweep;
  const completions = (use: Use) =>
    completion === "scheduler" ? orders * use(complete) : sweptUse(counts, use, orders, passesOf(orders));
  return [
    line("API Gateway, HTTP API", "httpApiRequest", apiRequests),
    ...callLines("", (use) => {
      // A refund turns one idle run of the poller into one with work.
      const others = use(placed) + reads * use(get) + REFUNDS * (use(drainOne) - use(drainIdle));
      return orders * others + completions(use);
    }),
    line("EventBridge Scheduler", "schedulerInvocation", orders * placed.requests.scheduler),
    line("Upstash, storage, for each month", "upstashGbMonth", (counts.storedBytesPerOrder * orders) / BYTES_PER_GB),
    line("CloudWatch Logs, API", "logsGb", (apiRequests * ACCESS_LOG_BYTES) / BYTES_PER_GB),
  ];
}

/** What a month costs with or without orders. */
export function monthlyBill(counts: Counts, completion: Completion, infrastructure: Infrastructure): Line[] {
  return [
    ...pollersBill(counts, completion),
    line("CloudWatch, own metrics", "customMetricMonth", infrastructure.customMetrics),
    line("CloudWatch, metrics of each route", "customMetricMonth", METRICS_PER_ROUTE * ROUTES_OF_ORDERS),
    line("CloudWatch, alarms", "alarmMetricMonth", infrastructure.alarmMetrics),
    line("CloudWatch, dashboard", "dashboardMonth", infrastructure.dashboards),
    line("Secrets Manager", "secretMonth", SECRETS),
  ];
}

function pollersBill({ operations }: Counts, completion: Completion): Line[] {
  const sweep = completion === "scheduler" ? operations.sweepIdle : operations.runIdle;
  return callLines(OF_POLLERS, (use) => RUNS_PER_MONTH * (use(operations.drainIdle) + use(sweep)));
}

/**
 * What runs of `sweep` use for orders, besides what they use without any. A counted run with few orders per pass and one with many tell
 * what an order takes and what a pass takes.
 */
function sweptUse({ operations }: Counts, use: Use, orders: number, passes: number): number {
  const counted = (name: keyof typeof SWEPT_ORDERS) => ({
    orders: SWEPT_ORDERS[name],
    passes: operations[name].commands.zrem ?? 0,
    used: use(operations[name]) - use(operations.runIdle),
  });
  const [slow, fast] = [counted("runSlow"), counted("runFast")];
  const ofOrder =
    (fast.used * slow.passes - slow.used * fast.passes) / (fast.orders * slow.passes - slow.orders * fast.passes);
  const ofPass = (slow.used - ofOrder * slow.orders) / slow.passes;
  return orders * ofOrder + passes * ofPass;
}

/**
 * How often `sweep` completes something in a month. A pass waits for the next due order, but 200 ms at least, so orders that come at
 * random share passes; and while two runs overlap both make them.
 */
function passesOf(orders: number): number {
  const perPass = 1 + (orders / SECONDS_PER_MONTH) * (SWEEP_MIN_WAIT_MS / 1_000);
  return (orders / perPass) * ((SWEEP_RUN_MS * RUNS_PER_MONTH) / (SECONDS_PER_MONTH * 1_000));
}

/** From how many orders per month on `sweep` is cheaper than `scheduler`, on Pay-as-you-go and on a Fixed plan of Upstash. */
export function sweepIsCheaperFrom(counts: Counts) {
  function usd(completion: Completion, orders: number, isFixed: boolean): number {
    const lines = [...ordersBill(counts, completion, 0, orders), ...pollersBill(counts, completion)];
    const commands = lines.filter(({ part }) => part.startsWith(COMMANDS));
    return totalUsd(lines) - (isFixed ? totalUsd(commands) : 0);
  }
  const from = (isFixed: boolean) =>
    smallestWhere((orders) => usd("sweep", orders, isFixed) <= usd("scheduler", orders, isFixed));
  return { payAsYouGo: from(false), fixed: from(true) };
}

/** What calls of functions cost: `total` sums over all calls what one of them uses. */
function callLines(suffix: string, total: (use: Use) => number): Line[] {
  return [
    line(
      `Lambda, requests${suffix}`,
      "lambdaRequest",
      total(() => 1),
    ),
    line(`Lambda, compute${suffix}`, "lambdaGbSecond", total(gbSeconds)),
    line(`${COMMANDS}${suffix}`, "upstashCommand", total(commandCount)),
    line(
      `CloudWatch Logs${suffix || ", functions"}`,
      "logsGb",
      total(({ logBytes }) => logBytes / BYTES_PER_GB),
    ),
  ];
}

/** Each Fixed plan of Upstash: from how many orders per month on it is cheaper than Pay-as-you-go, and how many fit. */
export function plansOf(counts: Counts, reads: number) {
  const commandsUsd = (completion: Completion, orders: number) =>
    usdOf(ordersBill(counts, completion, reads, orders), COMMANDS) +
    usdOf(pollersBill(counts, completion), `${COMMANDS}${OF_POLLERS}`);
  return upstashPlans.map(({ name, usdPerMonth, megabytes }) => {
    const from = (completion: Completion) => smallestWhere((orders) => commandsUsd(completion, orders) >= usdPerMonth);
    const capacityOrders = (megabytes * BYTES_PER_MB) / counts.storedBytesPerOrder;
    return { name, usdPerMonth, cheaperFrom: { scheduler: from("scheduler"), sweep: from("sweep") }, capacityOrders };
  });
}

/** The smallest number of orders from which on something is the case; undefined when it is not with the most either. */
function smallestWhere(isCase: (orders: number) => boolean): number | undefined {
  if (!isCase(MAX_ORDERS)) return undefined;
  let [below, from] = [-1, MAX_ORDERS];
  while (from - below > 1) {
    const middle = Math.floor((below + from) / 2);
    if (isCase(middle)) from = middle;
    else below = middle;
  }
  return from;
}

/**
 * How long a call is billed on Lambda, in ms, by a model: all of the measured time is taken as CPU time, which Lambda gives in
 * proportion to memory, plus the waits for Redis and EventBridge Scheduler, plus the share of cold starts. It is rather too
 * long, above all for cold starts, which get more CPU. A run of `sweep` lasts the same whatever it does.
 */
export function billedMs({ warmMs, coldMs, runMs, memoryMb, requests: { upstash, scheduler } }: Operation): number {
  if (runMs !== undefined) return runMs;
  const { coldStartShare, fullVcpuMb, redisRoundTripMs, schedulerRoundTripMs } = assumptions;
  const slowness = Math.max(1, fullVcpuMb.value / memoryMb);
  const waitMs = upstash * redisRoundTripMs.value + scheduler * schedulerRoundTripMs.value;
  const billed = (ms: number) => Math.ceil(ms * slowness + waitMs);
  return (1 - coldStartShare.value) * billed(warmMs) + coldStartShare.value * billed(coldMs);
}

/** Counted in what `infra/` generates: an alarm on a calculation is billed for each metric that it reads. */
export function readInfrastructure(): Infrastructure {
  const parameters = readParameters({ default: readParametersYml().default, stage: {}, commandLine: [] });
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
  const { operations } = counts;
  const calls = Object.entries({
    "place an order, `scheduler`": operations.create,
    "place an order, `sweep`": operations.createForSweep,
    "read an order": operations.get,
    "complete an order, `scheduler`": operations.complete,
    "poll, no refund": operations.drainIdle,
    "poll, one refund": operations.drainOne,
    "sweep, nothing overdue, `scheduler`": operations.sweepIdle,
  }).map(([name, operation]) => [
    name,
    `${operation.functionName}, ${operation.memoryMb} MB`,
    `${billedMs(operation).toFixed(0)} ms`,
    decimal(operation.requests.upstash),
    decimal(commandCount(operation)),
    `${Math.round(operation.logBytes)} B`,
  ]);
  const plans = plansOf(counts, 2);
  const { payAsYouGo, fixed } = sweepIsCheaperFrom(counts);
  return [
    table(["a call", "function", "billed (model)", "Redis requests", "Redis commands", "log"], calls, RIGHT),
    ...COMPLETIONS.map((completion) => ordersTable(counts, completion)),
    monthTable(COMPLETIONS.map((completion) => monthlyBill(counts, completion, infrastructure))),
    runsTable(counts),
    table(
      [
        ...[
          "Upstash plan",
          "USD per month",
          "cheaper than Pay-as-you-go with `scheduler` from",
          "with `sweep` from",
          "holds",
        ],
        "`sweep` is cheaper than `scheduler` from",
      ],
      [
        ["Pay-as-you-go", "", "", "", "", perMonth(payAsYouGo)],
        ...plans.map(({ name, usdPerMonth, cheaperFrom: { scheduler, sweep }, capacityOrders }) => {
          const holds = `${decimal(Number(capacityOrders.toPrecision(3)))} orders`;
          return [name, dollars(usdPerMonth), perMonth(scheduler), perMonth(sweep), holds, perMonth(fixed)];
        }),
      ],
      RIGHT,
    ),
  ].join("\n\n");
}

function ordersTable(counts: Counts, completion: Completion): string {
  // Two reads are those of a client that follows Retry-After, ten of one that reads twice a second for 5 seconds.
  const bills = [2, 10, 1].map((reads) => ordersBill(counts, completion, reads));
  const [two = []] = bills;
  return table(
    [
      `a million orders, ${REFUNDS * 100} % refunded, \`${completion}\``,
      "two reads each",
      "USD",
      "USD, ten",
      "USD, one",
    ],
    [
      ...two.map(({ part, quantity, unit }) => [
        part,
        `${decimal(quantity)} ${unit}`,
        ...bills.map((bill) => dollars(usdOf(bill, part))),
      ]),
      ["**total**", "", ...bills.map((bill) => `**${dollars(totalUsd(bill))}**`)],
    ],
    RIGHT,
  );
}

/** @param bills of each mode, with the same lines */
function monthTable(bills: readonly (readonly Line[])[]): string {
  const [parts = []] = bills;
  return table(
    ["a month, with or without orders", ...COMPLETIONS.flatMap((completion) => [`\`${completion}\``, "USD"])],
    [
      ...parts.map(({ part, unit }, index) => [
        part,
        ...bills.flatMap((bill) => [`${decimal(bill[index]?.quantity ?? 0)} ${unit}`, dollars(bill[index]?.usd ?? 0)]),
      ]),
      ["**total**", ...bills.flatMap((bill) => ["", `**${dollars(totalUsd(bill))}**`])],
    ],
    RIGHT,
  );
}

/** What a run of `sweep` costs with and without orders, if all runs of a month were like it. */
function runsTable({ operations }: Counts): string {
  const runs = [
    { name: "idle", run: operations.runIdle, orders: 0 },
    ...(["runSlow", "runFast"] as const).map((name) => ({
      name: `${SWEPT_PER_SECOND[name]} orders per second`,
      run: operations[name],
      orders: SWEPT_ORDERS[name],
    })),
  ];
  return table(
    [
      "a run of `sweep`",
      "reads of the index per second",
      "commands",
      "per order",
      "compute, USD per month",
      "commands, USD per month",
    ],
    runs.map(({ name, run, orders }) => [
      name,
      decimal((run.commands.zrange ?? 0) / (SWEEP_RUN_MS / 1_000)),
      decimal(commandCount(run)),
      orders === 0 ? "" : decimal(commandCount(run) / orders),
      dollars(line("", "lambdaGbSecond", RUNS_PER_MONTH * gbSeconds(run)).usd),
      dollars(line("", "upstashCommand", RUNS_PER_MONTH * commandCount(run)).usd),
    ]),
    RIGHT,
  );
}

const perMonth = (orders: number | undefined): string =>
  orders === undefined ? "never" : `${decimal(Number(orders.toPrecision(3)))} orders per month`;

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
