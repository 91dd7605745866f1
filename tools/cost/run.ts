import { readMemorySizes } from "../../test/lambda/limits.ts";
import { type MeasuredStack, startStack } from "../bench/stack.ts";
import type { Counts } from "./counts.ts";
import { readInfrastructure } from "./infrastructure.ts";
import { measure, type Step } from "./measure.ts";
import { place, read } from "./shop.ts";

/** How often each poller runs with nothing to do. */
const IDLE_RUNS = 50;

/** Fewer drains than that would be one cold start and little else. */
const FEWEST_REFUNDS = 10;

export interface RunOptions {
  readonly orders: number;
  readonly refundShare: number;
}

/**
 * Places, reads, completes and refunds orders at the whole service on this machine, one call at a time, and counts what
 * each kind of call uses. Every order has an Idempotency-Key, as a careful client sends. A refund is drained alone, which is
 * the dearest way.
 */
export async function run(options: RunOptions, say: (line: string) => void): Promise<Counts> {
  say("building the functions");
  await using stack = await startStack({ holdSchedules: true });
  const memoryOf = await readMemorySizes();
  let placed: string[] = [];

  function count(functionName: string, calls: number, call: Step, prepare?: Step) {
    say(`${functionName}, ${calls} calls`);
    const memoryMb = memoryOf(functionName);
    return measure(stack, { functionName, memoryMb, calls, call, ...(prepare && { prepare }) });
  }

  async function all(orders: number, refunds: number, idleRuns: number): Promise<Counts["operations"]> {
    placed = [];
    const drain = () => stack.invoke("drainRefunds", {});
    const askForRefund = (index: number) => stack.redis.xAdd("refund_order", "*", { pk: placed[index] ?? "" });
    return {
      create: await count("createOrder", orders, async () => placed.push(await place(stack.apiUrl))),
      get: await count("getOrder", orders, (index) => read(stack.apiUrl, placed[index] ?? "")),
      complete: await count("completeOrder", orders, (index) => stack.invoke("completeOrder", { pk: placed[index] })),
      drainIdle: await count("drainRefunds", idleRuns, drain),
      drainOne: await count("drainRefunds", refunds, drain, askForRefund),
      sweepIdle: await count("sweepOrders", idleRuns, () => stack.invoke("sweepOrders", {})),
    };
  }

  // Redis then knows the scripts, as it does after the first call of a month.
  await all(1, 1, 1);
  const announced = await stack.redis.xLen("order_completed");
  const { orders, refundShare } = options;
  const operations = await all(orders, refundsOf(options), IDLE_RUNS);
  await expectOrders(stack, orders, announced);
  return {
    orders,
    refundShare,
    storedBytesAnOrder: await storedBytes(stack, placed, orders + announced),
    operations,
    infrastructure: await readInfrastructure(),
  };
}

/** Their number decides how exact the cost of one is; how many there are of a million is `refundShare`. */
const refundsOf = ({ orders, refundShare }: RunOptions): number =>
  Math.min(orders, Math.max(FEWEST_REFUNDS, Math.round(orders * refundShare)));

/** A cost of orders that were not completed would be a cost of nothing. */
async function expectOrders(stack: MeasuredStack, orders: number, announcedBefore: number): Promise<void> {
  const completed = (await stack.redis.xLen("order_completed")) - announcedBefore;
  const [pending, refunds] = [await stack.redis.zCard("orders:pending"), await stack.redis.xLen("refund_order")];
  if (completed !== orders || pending > 0 || refunds > 0) {
    throw new Error(`Of ${orders} orders ${completed} were completed; ${pending} pending, ${refunds} refunds waiting`);
  }
}

async function storedBytes({ redis }: MeasuredStack, placed: readonly string[], announced: number): Promise<number> {
  const order = (await redis.memoryUsage(`order:${placed.at(-1)}`)) ?? 0;
  const stream = (await redis.memoryUsage("order_completed", { SAMPLES: 0 })) ?? 0;
  return Math.round(order + stream / announced);
}
