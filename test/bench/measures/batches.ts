import { COMPLETED_STREAM, orderKey, PENDING_KEY } from "../../../lib/redis/keys.ts";
import { call } from "../call.ts";
import { interleave } from "../interleave.ts";
import { ORDER, requestRefunds, storeCompletedOrders, storeOverdueOrders } from "../orders.ts";
import { type Row, row } from "../row.ts";
import type { Settings } from "../settings.ts";
import type { MeasuredStack, RedisClient } from "../stack.ts";
import type { Measure } from "./measure.ts";
import { REFUND_BATCH, SWEEP_BATCH } from "./network-calls.ts";

const SLOWEST_PER_SECOND = 5_000;
const FLOOR_STREAM = "floor:refunds";
const FLOOR_GROUP = "floor";

interface BatchCase {
  readonly functionName: string;
  readonly measure: string;
  /** Gives the function so many things to do. */
  readonly fill: (redis: RedisClient, count: number) => Promise<unknown>;
  /** The pipelines that have the floor do as many. */
  readonly pipelines: (redis: RedisClient, count: number) => Promise<unknown[][]>;
}

const CASES: readonly BatchCase[] = [
  {
    functionName: "drainRefunds",
    measure: "refunds settled by one poller",
    fill: async (redis, count) => requestRefunds(redis, await storeCompletedOrders(redis, count)),
    pipelines: refundPipelines,
  },
  {
    functionName: "sweepOrders",
    measure: "overdue orders completed by one sweep",
    fill: storeOverdueOrders,
    pipelines: sweepPipelines,
  },
];

/** How much the two functions that work in batches do in a second. */
export const measureBatches: Measure = async (stack, settings) => {
  const rows: Row[] = [];
  for (const batchCase of CASES) rows.push(...(await measureCase(stack, settings, batchCase)));
  return rows;
};

async function measureCase(stack: MeasuredStack, { batch, typical }: Settings, batchCase: BatchCase): Promise<Row[]> {
  const { functionName, measure, fill, pipelines } = batchCase;
  const { rounds, items } = batch;
  const sides = [
    async () => {
      await fill(stack.redis, items);
      return call(stack, functionName, {});
    },
    async () => call(stack, "pipelinesFloor", { pipelines: await pipelines(stack.redis, items) }),
  ];
  await interleave(sides, { rounds: 1, calls: 1 });
  const [subject = [], floor = []] = await interleave(sides, { rounds, calls: 1 });
  const perSecond = (taken: number[][]) => (items / typical(taken.flat())) * 1_000;
  const measured = { group: "batches", measure, name: functionName, unit: "/s", subject: perSecond(subject) } as const;
  return [
    row({ ...measured, floor: perSecond(floor), target: { of: "ratio", bound: "at least", value: 0.5 } }),
    row({ ...measured, target: { of: "subject", bound: "at least", value: SLOWEST_PER_SECOND } }),
  ];
}

async function refundPipelines(redis: RedisClient, count: number): Promise<unknown[][]> {
  const pks = await storeCompletedOrders(redis, count);
  await redis.del(FLOOR_STREAM);
  await redis.xGroupCreate(FLOOR_STREAM, FLOOR_GROUP, "0", { MKSTREAM: true });
  const ids = await Promise.all(pks.map((pk) => redis.xAdd(FLOOR_STREAM, "*", { pk })));
  await redis.xReadGroup(FLOOR_GROUP, "floor", { key: FLOOR_STREAM, id: ">" }, { COUNT: count });
  const commands = pks.map((pk, index) => [
    ["xack", FLOOR_STREAM, FLOOR_GROUP, ids[index]],
    ["hset", orderKey(pk), "status", "refunded", "refunded_at", ORDER.created_at],
  ]);
  return inBatches(commands, REFUND_BATCH);
}

async function sweepPipelines(redis: RedisClient, count: number): Promise<unknown[][]> {
  const pks = await storeOverdueOrders(redis, count);
  const completed = { ...ORDER, status: "completed", completed_at: ORDER.created_at };
  const commands = pks.map((pk) => [
    ["zrem", PENDING_KEY, pk],
    ["hset", orderKey(pk), "status", "completed", "completed_at", ORDER.created_at],
    ["xadd", COMPLETED_STREAM, "*", "pk", pk, ...Object.entries(completed).flat()],
  ]);
  return inBatches(commands, SWEEP_BATCH);
}

/** One pipeline a batch, of all the commands of its items. */
function inBatches(ofItems: unknown[][], size: number): unknown[][] {
  const batches = Math.ceil(ofItems.length / size);
  return Array.from({ length: batches }, (_, batch) => ofItems.slice(batch * size, (batch + 1) * size).flat());
}
