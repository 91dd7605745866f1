import { writeFile } from "node:fs/promises";
import { z } from "zod";
import { table } from "../../test/support/markdown.ts";
import { EXIT, type Outcome, parseOptions, runTool } from "../command.ts";
import { type Counts, commandCount, countOperations, type Operation } from "./count.ts";
import { type Infrastructure, readInfrastructure } from "./infrastructure.ts";
import priceList from "./prices.json" with { type: "json" };

const USAGE = `npm run cost -- [options]

Places orders at the built functions on real Redis, counts what AWS and Upstash would bill, and prints what a million cost.

  --orders <n>            how many orders are placed and counted (500)
  --reads <n>             how often an order is read (10: the shop's page polls twice a second for 5 seconds)
  --refunds <r>           the share of orders that are refunded, from 0 to 1 (0.05)
  --orders-per-month <n>  the volume of the monthly total (1000000)
  --write                 writes docs/cost.md
`;

const PAGE = new URL("../../docs/cost.md", import.meta.url);
const MILLION = 1_000_000;
const BYTES_PER_GB = 1_000_000_000;
const BYTES_PER_MB = 1_000_000;

const Options = z.object({
  orders: z.coerce.number().int().min(1).max(100_000).default(500),
  reads: z.coerce.number().int().min(0).max(1_000).default(10),
  refunds: z.coerce.number().min(0).max(1).default(0.05),
  "orders-per-month": z.coerce.number().int().min(1).max(1_000_000_000).default(MILLION),
  write: z.boolean().default(false),
});
type Options = z.infer<typeof Options>;

const { prices, assumptions, upstashPlans } = priceList;

/** One line of a bill. */
export interface Line {
  readonly part: string;
  readonly quantity: number;
  readonly unit: string;
  readonly usd: number;
  /** Of `usd`, what reads cost. */
  readonly readsUsd: number;
}

export interface Bill {
  readonly perMillionOrders: readonly Line[];
  /** With or without orders. */
  readonly perMonth: readonly Line[];
  readonly plans: readonly {
    readonly name: string;
    readonly usdPerMonth: number;
    /** From how many orders per month on it is cheaper than Pay-as-you-go. */
    readonly breakEvenOrders: number;
    /** How many orders fit. */
    readonly capacityOrders: number;
  }[];
}

/** What calls use, of everything that is billed by use. */
interface Usage {
  readonly apiRequests: number;
  readonly invocations: number;
  readonly gbSeconds: number;
  readonly schedules: number;
  readonly commands: number;
  readonly logBytes: number;
}

if (import.meta.main) {
  await runTool({
    usage: USAGE,
    readOptions(args) {
      const value = { type: "string" } as const;
      const options = { orders: value, reads: value, refunds: value, "orders-per-month": value } as const;
      return parseOptions(Options, args, { ...options, write: { type: "boolean" } });
    },
    run: cost,
  });
}

async function cost(options: Options): Promise<Outcome> {
  const counts = await countOperations(options.orders, (step) => process.stderr.write(`${step}\n`));
  const bill = billOf(counts, await readInfrastructure(), options);
  const report = reportOf(counts, bill, options);
  if (options.write) await writeFile(PAGE, pageOf(report, options));
  return { output: `${report}\n`, exitCode: EXIT.ok };
}

/** What the counted operations cost at list prices, without free tiers. */
export function billOf(
  { operations, storedBytesPerOrder }: Counts,
  infrastructure: Infrastructure,
  { reads, refunds }: Pick<Options, "reads" | "refunds">,
): Bill {
  const { create, get, complete, drainOne, drainIdle, sweepIdle } = operations;
  // A refund turns one idle run of the poller into one with work.
  const order = sum([1, create], [1, complete], [refunds, drainOne], [-refunds, drainIdle]);
  const orderUsage = { ...order, invocations: 2 };
  const readUsage = sum([reads, get]);
  const runs = assumptions.hoursPerMonth.value * 60;
  const pollers = sum([runs, drainIdle], [runs, sweepIdle]);

  const line = (part: string, price: keyof typeof prices, ofOrder: number, ofReads = 0): Line => {
    const { usd, per, unit } = prices[price];
    const quantity = ofOrder + ofReads;
    return { part, quantity, unit, usd: (quantity * usd) / per, readsUsd: (ofReads * usd) / per };
  };
  const perMillion = (part: string, price: keyof typeof prices, of: (usage: Usage) => number): Line =>
    line(part, price, of(orderUsage) * MILLION, of(readUsage) * MILLION);
  const accessLogBytes = (usage: Usage) => usage.apiRequests * infrastructure.accessLogBytes;
  const perMillionOrders = [
    perMillion("API Gateway, HTTP API", "httpApiRequest", ({ apiRequests }) => apiRequests),
    perMillion("Lambda, requests", "lambdaRequest", ({ invocations }) => invocations),
    perMillion("Lambda, compute", "lambdaGbSecond", ({ gbSeconds }) => gbSeconds),
    perMillion("EventBridge Scheduler", "schedulerInvocation", ({ schedules }) => schedules),
    perMillion("Upstash, commands", "upstashCommand", ({ commands }) => commands),
    line("Upstash, storage, for each month", "upstashGbMonth", (storedBytesPerOrder * MILLION) / BYTES_PER_GB),
    perMillion("CloudWatch Logs, functions", "logsGb", ({ logBytes }) => logBytes / BYTES_PER_GB),
    perMillion("CloudWatch Logs, API", "logsGb", (usage) => accessLogBytes(usage) / BYTES_PER_GB),
  ];
  const idleCommands = line("Upstash, commands of the pollers", "upstashCommand", pollers.commands);
  const perMonth = [
    line("Lambda, requests of the pollers", "lambdaRequest", pollers.invocations),
    line("Lambda, compute of the pollers", "lambdaGbSecond", pollers.gbSeconds),
    idleCommands,
    line("CloudWatch Logs of the pollers", "logsGb", pollers.logBytes / BYTES_PER_GB),
    line("CloudWatch, own metrics", "customMetricMonth", infrastructure.customMetrics),
    line("CloudWatch, metrics of each route", "customMetricMonth", infrastructure.routeMetrics),
    line("CloudWatch, alarms", "alarmMetricMonth", infrastructure.alarmMetrics),
    line("CloudWatch, dashboard", "dashboardMonth", infrastructure.dashboards),
    line("Secrets Manager", "secretMonth", infrastructure.secrets),
  ];
  const { usd: commandsUsd = 0 } = perMillionOrders.find(({ part }) => part === "Upstash, commands") ?? {};
  const plans = upstashPlans.map(({ name, usdPerMonth, megabytes }) => ({
    name,
    usdPerMonth,
    breakEvenOrders: ((usdPerMonth - idleCommands.usd) / commandsUsd) * MILLION,
    capacityOrders: (megabytes * BYTES_PER_MB) / storedBytesPerOrder,
  }));
  return { perMillionOrders, perMonth, plans };
}

export function totalUsd(lines: readonly Line[]): number {
  return lines.reduce((total, { usd }) => total + usd, 0);
}

/**
 * How long a call is billed on Lambda, in ms, by a model: all of the measured time is taken as CPU time, which Lambda gives in
 * proportion to memory, plus the waits for Redis and EventBridge Scheduler, plus the share of cold starts. It is rather too
 * long, above all for cold starts, which get more CPU.
 */
export function billedMs({ warmMs, coldMs, memoryMb, requests }: Operation): number {
  const { coldStartShare, fullVcpuMb, redisRoundTripMs, schedulerRoundTripMs } = assumptions;
  const slowness = Math.max(1, fullVcpuMb.value / memoryMb);
  const waitMs = requests.upstash * redisRoundTripMs.value + requests.scheduler * schedulerRoundTripMs.value;
  const billed = (ms: number) => Math.ceil(ms * slowness + waitMs);
  return (1 - coldStartShare.value) * billed(warmMs) + coldStartShare.value * billed(coldMs);
}

function sum(...parts: readonly (readonly [times: number, operation: Operation])[]): Usage {
  const total = (of: (operation: Operation) => number) =>
    parts.reduce((result, [times, operation]) => result + times * of(operation), 0);
  return {
    apiRequests: total(({ requests }) => requests.api),
    invocations: total(() => 1),
    gbSeconds: total((operation) => (operation.memoryMb / 1024) * (billedMs(operation) / 1_000)),
    schedules: total(({ requests }) => requests.scheduler),
    commands: total(commandCount),
    logBytes: total(({ logBytes }) => logBytes),
  };
}

/** The bill as Markdown tables that are readable in a terminal too. */
export function reportOf({ operations }: Counts, bill: Bill, { reads, refunds, ...options }: Options): string {
  const calls = Object.entries({
    "place an order": operations.create,
    "read an order": operations.get,
    "complete an order": operations.complete,
    "poll, no refund": operations.drainIdle,
    "poll, one refund": operations.drainOne,
    "sweep, nothing overdue": operations.sweepIdle,
  }).map(([name, operation]) => [
    name,
    `${operation.functionName}, ${operation.memoryMb} MB`,
    `${billedMs(operation).toFixed(0)} ms`,
    decimal(operation.requests.upstash),
    decimal(commandCount(operation)),
    `${Math.round(operation.logBytes)} B`,
  ]);
  const lines = (of: readonly Line[]) =>
    of.map(({ part, quantity, unit, usd }) => [part, `${decimal(quantity)} ${unit}`, dollars(usd)]);
  const readsUsd = bill.perMillionOrders.reduce((total, line) => total + line.readsUsd, 0);
  const [perMillion, perMonth] = [totalUsd(bill.perMillionOrders), totalUsd(bill.perMonth)];
  const volume = options["orders-per-month"];
  const monthly = (perMillion * volume) / MILLION + perMonth;
  const right = { numbersFrom: 1 };
  return [
    table(["a call", "function", "billed (model)", "Redis requests", "Redis commands", "log"], calls, right),
    table(
      [
        `a million orders, ${reads} reads each, ${decimal(refunds * 100)} % refunded`,
        "quantity",
        "USD",
        "of it, reads",
      ],
      [
        ...bill.perMillionOrders.map((line) => [...lines([line]).flat(), dollars(line.readsUsd)]),
        ["**total**", "", `**${dollars(perMillion)}**`, dollars(readsUsd)],
      ],
      right,
    ),
    table(
      ["a month, with or without orders", "quantity", "USD"],
      [...lines(bill.perMonth), ["**total**", "", `**${dollars(perMonth)}**`]],
      right,
    ),
    `${decimal(volume)} orders in a month cost ${dollars(perMillion * (volume / MILLION))} + ${dollars(perMonth)} = **${dollars(monthly)}**.`,
    table(
      ["Upstash plan", "USD per month", "cheaper than Pay-as-you-go from", "holds"],
      bill.plans.map(({ name, usdPerMonth, breakEvenOrders, capacityOrders }) => [
        name,
        dollars(usdPerMonth),
        `${decimal(Number(breakEvenOrders.toPrecision(3)))} orders per month`,
        `${decimal(Number(capacityOrders.toPrecision(3)))} orders`,
      ]),
      right,
    ),
  ].join("\n\n");
}

function pageOf(report: string, { orders }: Options): string {
  const sources = Object.entries(prices).map(([name, { usd, per, unit, region, source, date, note }]) => [
    name,
    `$${usd} per ${per === 1 ? unit.replace(/(?<=[a-z])s$/, "") : `${decimal(per)} ${unit}`}`,
    region,
    `[${date}](${source})`,
    note,
  ]);
  const { source, date, note } = priceList.upstashPlansSource;
  return `# Cost

\`npm run cost -- --write\` writes this page. Do not edit it.

A run placed ${decimal(orders)} orders at the built functions on real Redis, each with an \`Idempotency-Key\`, read, completed and refunded them one call at
a time, and counted requests, Redis commands (inside scripts too, as Upstash bills them) and log bytes. List prices, no free tier.

${report}

- **Billed time is a model.** All of the measured time is taken as CPU time, which Lambda gives in proportion to memory (a whole vCPU at
  ${decimal(assumptions.fullVcpuMb.value)} MB), plus ${assumptions.redisRoundTripMs.value} ms per request to Redis and ${assumptions.schedulerRoundTripMs.value} ms for \`CreateSchedule\`. One call in a hundred is a cold start.
- **Each refund is polled alone**, which costs the most.
- **Left out**: data transfer, log storage, taxes, X-Ray (off by default), what other services do on the streams, and traffic that is not orders.
- A Fixed plan includes its commands. Its size must hold all orders of the retention time: see \`orderRetentionDays\`.

## Prices

${table(["price", "USD", "Region", "taken on", "note"], sources)}

Upstash plans: [${date}](${source}). ${note}
`;
}

function dollars(usd: number): string {
  return `$${usd.toFixed(2)}`;
}

function decimal(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 });
}
