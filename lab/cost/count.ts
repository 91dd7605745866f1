import { memoryMb } from "../../infra/serverless-yml.ts";
import { SWEEP_RUN_MS } from "../../lib/orders/completion-delay.ts";
import { PENDING_KEY } from "../../lib/redis/keys.ts";
import type { RecordedRequest } from "../bench/baseline.ts";
import { PlaceOrderReply } from "../bench/calls.ts";
import { ORDER_BODY, storePendingOrders } from "../bench/orders.ts";
import { HELD_MS, type MeasuredStack, recordRequests, startStack } from "../bench/stack.ts";
import { median } from "../bench/statistics.ts";
import { buildBundles } from "../lambda-host/bundles.ts";
import { getOrderEvent, placeOrderEvent } from "../lambda-host/events.ts";

/** How often each poller runs with nothing to do. */
const IDLE_RUNS = 50;
/** Fewer drains than that would be one cold start and little else. */
const MIN_REFUNDS = 10;

const SWEEP_RUN = "sweepRun";

/** A cold one and a warm one. */
const SWEEP_RUNS = 2;

/** While a run of `sweep` is counted, orders become due for this long, evenly. */
const SWEPT_S = 64;

/** How many orders per second a run of `sweep` completes: each alone, or about ten at once, since a run waits for 200 ms at least. */
export const SWEPT_PER_SECOND = { runSlow: 4, runFast: 50 } as const;
/** How many orders such a run completes. */
export const SWEPT_ORDERS = {
  runSlow: SWEPT_S * SWEPT_PER_SECOND.runSlow,
  runFast: SWEPT_S * SWEPT_PER_SECOND.runFast,
} as const;

/** What one call of a function uses, as the mean of all its calls. */
export interface Operation {
  readonly functionName: string;
  readonly memoryMb: number;
  /** The median of the warm calls. Of a run of `sweep` it has no waits. */
  readonly warmMs: number;
  /** How long a run of `sweep` lasts: it waits most of the time. */
  readonly runMs?: number;
  /** The initialization and first call of an instance. */
  readonly coldMs: number;
  /** What the function wrote to its log, metrics included. */
  readonly logBytes: number;
  /** HTTP requests that it sent, by server. */
  readonly requests: { readonly upstash: number; readonly scheduler: number };
  /** As Upstash bills them, by name: a script, and each command in it (https://upstash.com/docs/redis/sdks/ratelimit-ts/costs). */
  readonly commands: Readonly<Record<string, number>>;
}

/** Everything that a run counts: the cost is arithmetic on it. */
export interface Counts {
  /** In Redis, of one order and its announcement. */
  readonly storedBytesPerOrder: number;
  readonly operations: Readonly<Record<OperationName, Operation>>;
}

type OperationName =
  | "create"
  | "createForSweep"
  | "get"
  | "complete"
  /** The refund poller finds no request, or one. */
  | "drainIdle"
  | "drainOne"
  /** With `scheduler`: nothing is overdue. */
  | "sweepIdle"
  /** With `sweep`: a run without orders, with 4 per second, with 50 per second. */
  | "runIdle"
  | "runSlow"
  | "runFast";

/**
 * Places, reads, completes and refunds orders at the built functions on this machine, one call at a time, and counts what each
 * kind of call uses. Every order has an Idempotency-Key. Each refund is drained alone, which costs the most. The waits of runs of
 * `sweep` are skipped (sweep-run.ts).
 * @throws Error when an order was not completed or refunded: failures are cheap
 */
export async function countOperations(orders: number, log: (line: string) => void): Promise<Counts> {
  using bundles = await buildBundles([], { [SWEEP_RUN]: "lab/cost/sweep-run.ts" });
  await using stack = await startStack({ bundles, scheduleDelayMs: () => HELD_MS });
  await using sweeping = await startStack({ bundles, completion: "sweep" });
  let pks: string[] = [];

  async function countAll(placed: number, refunds: number, idleRuns: number, sweepRuns: number) {
    const placeOrder = () => placeOrderEvent(ORDER_BODY, { "idempotency-key": crypto.randomUUID() });
    const [create, replies] = await count(stack, "createOrder", placed, placeOrder);
    pks = replies.map((reply) => PlaceOrderReply.parse(reply).body.pk);
    const [get] = await count(stack, "getOrder", placed, (at) => getOrderEvent(pks[at] ?? ""));
    const [complete] = await count(stack, "completeOrder", placed, (at) => ({ pk: pks[at] }));
    const [drainIdle] = await count(stack, "drainRefunds", idleRuns, () => ({}));
    const [drainOne] = await count(stack, "drainRefunds", refunds, async (at) => {
      await stack.redis.xAdd("refund_order", "*", { pk: pks[at] ?? "" });
      return {};
    });
    const [sweepIdle] = await count(stack, "sweepOrders", idleRuns, () => ({}));
    const [createForSweep] = await count(sweeping, "createOrder", placed, placeOrder);
    const runs = {
      runIdle: await countRun(sweepRuns, 0),
      runSlow: await countRun(sweepRuns, SWEPT_PER_SECOND.runSlow),
    };
    const runFast = await countRun(sweepRuns, SWEPT_PER_SECOND.runFast);
    return { create, createForSweep, get, complete, drainIdle, drainOne, sweepIdle, ...runs, runFast };
  }

  async function countRun(runs: number, ordersPerSecond: number): Promise<Operation> {
    // What createOrder has placed is not due in the same way.
    await sweeping.redis.del(PENDING_KEY);
    const [operation] = await count(sweeping, SWEEP_RUN, runs, async () => {
      const startsAt = Date.now();
      // In the middle of each interval: none is due when the run starts.
      const dueTimes = Array.from({ length: SWEPT_S * ordersPerSecond }, (_, at) => {
        return startsAt + Math.round(((at + 0.5) * 1_000) / ordersPerSecond);
      });
      await storePendingOrders(sweeping.redis, dueTimes);
      return { startsAt };
    });
    const pending = await sweeping.redis.zCard(PENDING_KEY);
    if (pending > 0) throw new Error(`A run of the sweep left ${pending} orders`);
    return { ...operation, functionName: "sweepOrders", memoryMb: memoryMb("sweepOrders"), runMs: SWEEP_RUN_MS };
  }

  /** @param prepare makes the event of a call; what it sends to Redis is not counted */
  async function count(on: MeasuredStack, functionName: string, calls: number, prepare: (at: number) => unknown) {
    log(`${functionName}, ${calls} calls`);
    await on.recycle(functionName);
    const logBytesBefore = on.logBytes(functionName);
    const usages: Awaited<ReturnType<typeof on.call>>[] = [];
    const sent: RecordedRequest[] = [];
    const commands = new Map<string, number>();
    for (let at = 0; at < calls; at += 1) {
      const event = await prepare(at);
      await on.redis.configResetStat();
      sent.push(...(await recordRequests(async () => usages.push(await on.call(functionName, event)))));
      for (const [name, runs] of await on.commands()) commands.set(name, (commands.get(name) ?? 0) + runs);
    }
    // Its whole log is counted by then.
    await on.recycle(functionName);
    const [{ initMs = Number.NaN, durationMs } = { durationMs: Number.NaN }, ...warm] = usages;
    if (warm.some((usage) => usage.initMs !== undefined)) throw new Error(`An instance of ${functionName} has died`);
    const coldMs = initMs + durationMs;
    const upstash = sent.filter(({ url }) => url.startsWith(on.upstashUrl)).length;
    const operation: Operation = {
      functionName,
      memoryMb: memoryMb(functionName),
      warmMs: warm.length > 0 ? median(warm.map((usage) => usage.durationMs)) : coldMs,
      coldMs,
      logBytes: (on.logBytes(functionName) - logBytesBefore) / calls,
      requests: { upstash: upstash / calls, scheduler: (sent.length - upstash) / calls },
      commands: Object.fromEntries(commands.entries().map(([name, runs]) => [name, runs / calls])),
    };
    return [operation, usages.map(({ reply }) => reply)] as const;
  }

  // Afterwards Redis has the scripts in its cache, as it has after the first call of a month.
  await countAll(1, 1, 1, 1);
  const operations = await countAll(orders, Math.min(orders, MIN_REFUNDS), IDLE_RUNS, SWEEP_RUNS);
  const [announced, pending] = [await stack.redis.xLen("order_completed"), await stack.redis.zCard("orders:pending")];
  const refunds = await stack.redis.xLen("refund_order");
  if (announced !== orders + 1 || pending > 0 || refunds > 0) {
    throw new Error(
      `${announced - 1} of ${orders} orders completed; ${pending} pending, ${refunds} refund requests left`,
    );
  }
  const order = (await stack.redis.memoryUsage(`order:${pks.at(-1)}`)) ?? Number.NaN;
  const stream = (await stack.redis.memoryUsage("order_completed", { SAMPLES: 0 })) ?? Number.NaN;
  return { storedBytesPerOrder: Math.round(order + stream / announced), operations };
}
