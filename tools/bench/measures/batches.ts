import { call } from "../call.ts";
import { interleave } from "../interleave.ts";
import { requestRefunds, storeCompletedOrders, storeOverdueOrders } from "../orders.ts";
import { type Row, row } from "../row.ts";
import type { Settings } from "../settings.ts";
import type { MeasuredStack, RedisClient } from "../stack.ts";
import type { Measure } from "./measure.ts";

const SLOWEST_PER_SECOND = 5_000;

interface BatchCase {
  readonly functionName: string;
  readonly measure: string;
  /** Gives the function so many things to do. */
  readonly fill: (redis: RedisClient, count: number) => Promise<unknown>;
}

const CASES: readonly BatchCase[] = [
  {
    functionName: "drainRefunds",
    measure: "refunds settled by one poller",
    fill: async (redis, count) => requestRefunds(redis, await storeCompletedOrders(redis, count)),
  },
  {
    functionName: "sweepOrders",
    measure: "overdue orders completed by one sweep",
    fill: storeOverdueOrders,
  },
];

/** How much the two functions that work in batches do in a second. */
export const measureBatches: Measure = async (stack, settings) => {
  const rows: Row[] = [];
  for (const batchCase of CASES) rows.push(await measureCase(stack, settings, batchCase));
  return rows;
};

async function measureCase(stack: MeasuredStack, { batch, typical }: Settings, batchCase: BatchCase): Promise<Row> {
  const { functionName, measure, fill } = batchCase;
  const { rounds, items } = batch;
  const run = async () => {
    await fill(stack.redis, items);
    return call(stack, functionName, {});
  };
  await interleave([run], { rounds: 1, calls: 1 });
  const [taken = []] = await interleave([run], { rounds, calls: 1 });
  return row({
    group: "batches",
    measure,
    name: functionName,
    unit: "/s",
    subject: (items / typical(taken.flat())) * 1_000,
    target: { of: "subject", bound: "at least", value: SLOWEST_PER_SECOND },
  });
}
