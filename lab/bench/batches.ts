import type { Bundles } from "../lambda-host/bundles.ts";
import { getOrderEvent, placeOrderEvent } from "../lambda-host/events.ts";
import { fillDatabase, filledPk, ORDER_BODY, removeOrders, storeOverdueOrders, storeRefundRequests } from "./orders.ts";
import { HELD_MS, type MeasuredStack, startStack } from "./stack.ts";
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
    const taken: number[] = [];
    // The first run warms up.
    for (let round = 0; round <= rounds; round += 1) {
      await store(stack.redis, items);
      taken.push(await time(stack, name, {}));
    }
    const value = (items / median(taken.slice(1))) * 1_000;
    rows.push({ group: "batch", measure, name, unit: "/s", value, atLeast: MIN_ITEMS_PER_SECOND });
  }
  return rows;
}

interface GrowthSettings {
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
    const stack = stacks.use(await startStack({ bundles, scheduleDelayMs: () => HELD_MS }));
    await fillDatabase(stack.redis, stored);
    databases.push({ stored, stack });
  }

  async function measure(name: string, perRound: number, call: (stack: MeasuredStack, stored: number) => Call) {
    const sides = databases.map(({ stack, stored }) => call(stack, stored));
    await interleave(sides, 2, perRound);
    const taken = await interleave(sides, rounds, perRound);
    const [baseline = Number.NaN, ...others] = taken.map((ofSize) => median(ofSize.map(median)));
    return others.map((value, index): Row => {
      const at = sizes[index + 1] ?? Number.NaN;
      const what = { group: "growth", measure: `${name} with ${at.toLocaleString("en")} orders stored` } as const;
      return { ...what, name, at, unit: "ms", value, baseline, atMost: MAX_GROWTH_RATIO };
    });
  }

  const rows = [
    ...(await measure("getOrder", calls, (stack, stored) => (at) => {
      return time(stack, "getOrder", getOrderEvent(filledPk((at * STRIDE) % stored)));
    })),
    ...(await measure("createOrder", calls, (stack) => () => time(stack, "createOrder", placeOrderEvent(ORDER_BODY)))),
  ];
  for (const { name, store } of BATCH_FUNCTIONS) {
    const run = (stack: MeasuredStack) => async () => {
      const pks = await store(stack.redis, items);
      const taken = await time(stack, name, {});
      await removeOrders(stack.redis, pks);
      return taken;
    };
    rows.push(...(await measure(name, 1, run)));
  }
  return rows;
}

const time = async (stack: MeasuredStack, name: string, event: unknown) => (await stack.call(name, event)).durationMs;
