import { getOrderEvent, placeOrderEvent } from "../../test/support/functions.ts";
import type { Bundles } from "../lambda-host/bundles.ts";
import { fillDatabase, filledPk, ORDER_BODY, removeOrders, storeOverdueOrders, storeRefundRequests } from "./orders.ts";
import { type MeasuredStack, startStack } from "./stack.ts";
import { type Call, interleave, median, type Row } from "./statistics.ts";

const MIN_ITEMS_PER_SECOND = 5_000;
const MAX_GROWTH_RATIO = 1.5;

/** Prime, so that the reads of a round are spread over all orders. */
const STRIDE = 7_919;

const BATCH_FUNCTIONS = [
  { name: "drainRefunds", measure: "drainRefunds: refunds per second", store: storeRefundRequests },
  { name: "sweepOrders", measure: "sweepOrders: overdue orders per second", store: storeOverdueOrders },
] as const;

/** How much the poller and the sweep do in a second: what a backlog after an outage takes. */
export async function measureBatches(stack: MeasuredStack, rounds: number, items: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, measure, store } of BATCH_FUNCTIONS) {
    const run = async () => {
      await store(stack.redis, items);
      return (await stack.call(name, {})).durationMs;
    };
    // The first run warms up.
    const [[, ...taken] = []] = await interleave([run], 1 + rounds);
    rows.push({
      group: "batch",
      measure,
      name,
      unit: "/s",
      value: (items / median(taken.flat())) * 1_000,
      target: { of: "value", bound: "at least", value: MIN_ITEMS_PER_SECOND },
    });
  }
  return rows;
}

export interface GrowthSettings {
  /** Numbers of stored orders; the first is what the others are compared with. */
  readonly sizes: readonly number[];
  readonly rounds: number;
  /** Calls of getOrder and createOrder per round. */
  readonly calls: number;
  /** Refunds and overdue orders per run of the poller and the sweep. */
  readonly items: number;
}

/** The duration of a call as more orders are stored: whether the service slows down over the years. Each size has its own Redis. */
export async function measureGrowth(bundles: Bundles, { sizes, rounds, calls, items }: GrowthSettings): Promise<Row[]> {
  await using stacks = new AsyncDisposableStack();
  const databases: { readonly stored: number; readonly stack: MeasuredStack }[] = [];
  for (const stored of sizes) {
    const stack = stacks.use(await startStack({ bundles, holdSchedules: true }));
    await fillDatabase(stack.redis, stored);
    databases.push({ stored, stack });
  }
  const operations: [name: string, calls: number, call: (stack: MeasuredStack, stored: number) => Call][] = [
    [
      "getOrder",
      calls,
      (stack, stored) => (at) => time(stack, "getOrder", getOrderEvent(filledPk((at * STRIDE) % stored))),
    ],
    ["createOrder", calls, (stack) => () => time(stack, "createOrder", placeOrderEvent(ORDER_BODY))],
    ...BATCH_FUNCTIONS.map(({ name, store }): (typeof operations)[number] => [
      name,
      1,
      (stack) => async () => {
        const pks = await store(stack.redis, items);
        const taken = await time(stack, name, {});
        await removeOrders(stack.redis, pks);
        return taken;
      },
    ]),
  ];
  const rows: Row[] = [];
  for (const [name, callsPerRound, call] of operations) {
    const sides = databases.map(({ stack, stored }) => call(stack, stored));
    await interleave(sides, 2, callsPerRound);
    const taken = await interleave(sides, rounds, callsPerRound);
    const [baseline = Number.NaN, ...others] = taken.map((ofSize) => median(ofSize.map(median)));
    for (const [index, value] of others.entries()) {
      const at = databases[index + 1]?.stored ?? Number.NaN;
      const measure = `${name} with ${at.toLocaleString("en")} orders stored`;
      const target = { of: "ratio", bound: "at most", value: MAX_GROWTH_RATIO } as const;
      rows.push({ group: "growth", measure, name, at, unit: "ms", value, baseline, target });
    }
  }
  return rows;
}

const time = async (stack: MeasuredStack, name: string, event: unknown) => (await stack.call(name, event)).durationMs;
