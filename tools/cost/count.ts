import { readMemorySizes } from "../../test/support/bundle.ts";
import { getOrderEvent, placeOrderEvent } from "../../test/support/functions.ts";
import type { RecordedRequest } from "../bench/baseline.ts";
import { PlaceOrderReply } from "../bench/calls.ts";
import { ORDER_BODY } from "../bench/orders.ts";
import { type RedisClient, recordRequests, startStack } from "../bench/stack.ts";
import { median } from "../bench/statistics.ts";

/** How often each poller runs with nothing to do. */
const IDLE_RUNS = 50;
/** Fewer drains than that would be one cold start and little else. */
const MIN_REFUNDS = 10;

/** What connections and the local gateway send for themselves, and the commands that read and reset these numbers. */
const HOUSEKEEPING = /^(hello|info|auth|select|ping|command|client\|.+|config\|.+|xinfo\|consumers)$/;
const COMMAND_STATISTIC = /^cmdstat_(?<name>[^:]+):calls=(?<calls>\d+)/gm;

/** What one call of a function uses, as the mean of all its calls. */
export interface Operation {
  readonly functionName: string;
  readonly memoryMb: number;
  /** The median of the warm calls. */
  readonly warmMs: number;
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
  /** `drainOne` is a run of the refund poller that finds one request, `drainIdle` and `sweepIdle` are runs that find nothing. */
  readonly operations: Readonly<
    Record<"create" | "get" | "complete" | "drainIdle" | "drainOne" | "sweepIdle", Operation>
  >;
}

/**
 * Places, reads, completes and refunds orders at the built functions on this machine, one call at a time, and counts what each
 * kind of call uses. Every order has an Idempotency-Key. Each refund is drained alone, which costs the most.
 * @throws Error when an order was not completed or refunded: failures are cheap
 */
export async function countOperations(orders: number, log: (line: string) => void): Promise<Counts> {
  await using stack = await startStack({ holdSchedules: true });
  const memoryOf = await readMemorySizes();
  let pks: string[] = [];

  async function countAll(placed: number, refunds: number, idleRuns: number): Promise<Counts["operations"]> {
    const key = () => ({ "idempotency-key": crypto.randomUUID() });
    const [create, replies] = await count("createOrder", placed, () => placeOrderEvent(ORDER_BODY, key()));
    pks = replies.map((reply) => PlaceOrderReply.parse(reply).body.pk);
    const [get] = await count("getOrder", placed, (at) => getOrderEvent(pks[at] ?? ""));
    const [complete] = await count("completeOrder", placed, (at) => ({ pk: pks[at] }));
    const [drainIdle] = await count("drainRefunds", idleRuns, () => ({}));
    const [drainOne] = await count("drainRefunds", refunds, async (at) => {
      await stack.redis.xAdd("refund_order", "*", { pk: pks[at] ?? "" });
      return {};
    });
    const [sweepIdle] = await count("sweepOrders", idleRuns, () => ({}));
    return { create, get, complete, drainIdle, drainOne, sweepIdle };
  }

  /** @param prepare makes the event of a call; what it sends to Redis is not counted */
  async function count(functionName: string, calls: number, prepare: (at: number) => unknown) {
    log(`${functionName}, ${calls} calls`);
    await stack.recycle(functionName);
    const logBytesBefore = stack.logBytes(functionName);
    const usages: Awaited<ReturnType<typeof stack.call>>[] = [];
    const sent: RecordedRequest[] = [];
    const commands = new Map<string, number>();
    for (let at = 0; at < calls; at += 1) {
      const event = await prepare(at);
      await stack.redis.configResetStat();
      sent.push(...(await recordRequests(async () => usages.push(await stack.call(functionName, event)))));
      for (const [name, runs] of await commandsOf(stack.redis)) commands.set(name, (commands.get(name) ?? 0) + runs);
    }
    // Its whole log is counted by then.
    await stack.recycle(functionName);
    const [{ initMs = Number.NaN, durationMs } = { durationMs: Number.NaN }, ...warm] = usages;
    if (warm.some((usage) => usage.initMs !== undefined)) throw new Error(`An instance of ${functionName} has died`);
    const coldMs = initMs + durationMs;
    const upstash = sent.filter(({ url }) => url.startsWith(stack.upstashUrl)).length;
    const operation: Operation = {
      functionName,
      memoryMb: memoryOf(functionName),
      warmMs: warm.length > 0 ? median(warm.map((usage) => usage.durationMs)) : coldMs,
      coldMs,
      logBytes: (stack.logBytes(functionName) - logBytesBefore) / calls,
      requests: { upstash: upstash / calls, scheduler: (sent.length - upstash) / calls },
      commands: Object.fromEntries(commands.entries().map(([name, runs]) => [name, runs / calls])),
    };
    return [operation, usages.map(({ reply }) => reply)] as const;
  }

  // Afterwards Redis has the scripts in its cache, as it has after the first call of a month.
  await countAll(1, 1, 1);
  const operations = await countAll(orders, Math.min(orders, MIN_REFUNDS), IDLE_RUNS);
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

/** How often each command has run since the statistics were reset, in scripts too (https://redis.io/docs/latest/commands/info/). */
async function commandsOf(redis: RedisClient): Promise<(readonly [string, number])[]> {
  const statistics = (await redis.info("commandstats")).matchAll(COMMAND_STATISTIC);
  return [...statistics]
    .map(({ groups }) => [groups?.name ?? "", Number(groups?.calls)] as const)
    .filter(([name]) => !HOUSEKEEPING.test(name));
}
