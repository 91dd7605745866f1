import { z } from "zod";
import { Counts, type OperationName } from "./counts.ts";
import { Line, sumOf } from "./line.ts";
import { PRICES } from "./prices.ts";
import { countOf } from "./redis-commands.ts";
import { breakEven, rivals } from "./rivals.ts";
import { monthlyUsd, type Service, thisService } from "./service.ts";
import { durationOf } from "./usage.ts";

const Bill = z.strictObject({
  name: z.string(),
  per_million_orders: z.array(Line),
  per_million_orders_usd: z.number(),
  per_month: z.array(Line),
  per_month_usd: z.number(),
  /** Of a month with `orders_a_month`. */
  total_usd: z.number(),
});
export type Bill = z.infer<typeof Bill>;

const Call = z.strictObject({
  operation: z.string(),
  function: z.string(),
  memory_mb: z.number(),
  /** Billed, cold starts in their share. */
  measured_ms: z.number(),
  modelled_ms: z.number(),
  redis_commands: z.number(),
  log_bytes: z.number(),
});

/** The last line of a run. */
export const Report = z.strictObject({
  region: z.string(),
  prices_of: z.iso.date(),
  unverified_prices: z.array(z.string()),
  orders_a_month: z.int().positive(),
  calls: z.array(Call),
  service: Bill,
  rivals: z.array(Bill.extend({ break_even_orders_a_month: z.number().nullable() })),
  counts: Counts,
});
export type Report = z.infer<typeof Report>;

/** All that is said of a run's counts, at the prices of prices.json. */
export function reportOf(counts: Counts, ordersAMonth: number): Report {
  const prices = Object.entries(PRICES.prices);
  return {
    region: PRICES.region,
    prices_of: prices.reduce((oldest, [, { takenOn }]) => (takenOn < oldest ? takenOn : oldest), "9999-12-31"),
    unverified_prices: prices.filter(([, { verified }]) => !verified).map(([name]) => name),
    orders_a_month: ordersAMonth,
    calls: callsOf(counts),
    service: billOf(thisService(counts), ordersAMonth),
    rivals: rivals(counts).map((rival) => ({
      ...billOf(rival, ordersAMonth),
      break_even_orders_a_month: breakEven(counts, rival.name) ?? null,
    })),
    counts,
  };
}

function billOf(service: Service, ordersAMonth: number): Bill {
  return {
    name: service.name,
    per_million_orders: [...service.perMillionOrders],
    per_million_orders_usd: sumOf(service.perMillionOrders),
    per_month: [...service.perMonth],
    per_month_usd: sumOf(service.perMonth),
    total_usd: monthlyUsd(service, ordersAMonth),
  };
}

const NAMES: Record<OperationName, string> = {
  create: "place an order",
  get: "read an order",
  complete: "complete an order",
  drainOne: "drain one refund",
  drainIdle: "drain nothing",
  sweepIdle: "sweep nothing",
};

function callsOf({ operations }: Counts): z.infer<typeof Call>[] {
  const names = Object.keys(NAMES) as OperationName[];
  return names.map((name) => {
    const operation = operations[name];
    const { measuredMs, modelledMs } = durationOf(operation, PRICES);
    return {
      operation: NAMES[name],
      function: operation.functionName,
      memory_mb: operation.memoryMb,
      measured_ms: measuredMs,
      modelled_ms: modelledMs,
      redis_commands: countOf(operation.commands) / operation.calls,
      log_bytes: operation.logBytes / operation.calls,
    };
  });
}
