import { Order } from "../../lib/orders/order.ts";
import { fetchDocumented } from "../../test/support/contract.ts";
import { type MeasuredStack, type RedisClient, startStack } from "../bench/stack.ts";
import { median } from "../bench/statistics.ts";
import { readMemorySizes } from "../lambda-host/limits.ts";

/** How often each poller runs with nothing to do. */
const IDLE_RUNS = 50;
/** Fewer drains than that would be one cold start and little else. */
const MIN_REFUNDS = 10;

/** What connections send for themselves, and the command that reads these numbers. */
const HOUSEKEEPING = /^(hello|info|auth|select|ping|command|client\|.+|config\|.+)$/;
const COMMAND_STATISTIC = /^cmdstat_(?<name>[^:]+):calls=(?<calls>\d+)/gm;

type Commands = Readonly<Record<string, number>>;

/** What one call of an operation uses, as the mean of all its calls. */
export interface Operation {
  readonly functionName: string;
  readonly memoryMb: number;
  /** The median of the warm calls. */
  readonly warmMs: number;
  /** The initialization and first call of an instance. */
  readonly coldMs: number;
  /** What the function wrote to its log, metrics included. */
  readonly logBytes: number;
  readonly requests: { readonly api: number; readonly upstash: number; readonly scheduler: number };
  /** As Upstash bills them, by name: a script, and each command in it (https://upstash.com/docs/redis/sdks/ratelimit-ts/costs). */
  readonly commands: Commands;
}

/** Everything that a run counts: the cost is arithmetic on it. */
export interface Counts {
  /** In Redis, of one order and its announcement. */
  readonly storedBytesPerOrder: number;
  readonly operations: {
    readonly create: Operation;
    readonly get: Operation;
    readonly complete: Operation;
    /** A run of the refund poller that finds one request. */
    readonly drainOne: Operation;
    readonly drainIdle: Operation;
    readonly sweepIdle: Operation;
  };
}

/**
 * Places, reads, completes and refunds orders at the whole service on this machine, one call at a time, and counts what each
 * kind of call uses. Every order has an Idempotency-Key. Each refund is drained alone, which costs the most.
 * @throws Error when an order was not completed or refunded: failures are cheap
 */
export async function countOperations(orders: number, log: (line: string) => void): Promise<Counts> {
  await using stack = await startStack({ holdSchedules: true });
  const memoryOf = await readMemorySizes();
  let pks: string[] = [];

  async function countAll(placed: number, refunds: number, idleRuns: number): Promise<Counts["operations"]> {
    pks = [];
    const drain = () => stack.call("drainRefunds", {});
    const requestRefund = (at: number) => stack.redis.xAdd("refund_order", "*", { pk: pks[at] ?? "" });
    return {
      create: await count("createOrder", placed, async () => pks.push(await placeOrder(stack.apiUrl))),
      get: await count("getOrder", placed, (at) => fetchOrder(`${stack.apiUrl}/orders/${pks[at]}`)),
      complete: await count("completeOrder", placed, (at) => stack.call("completeOrder", { pk: pks[at] })),
      drainIdle: await count("drainRefunds", idleRuns, drain),
      drainOne: await count("drainRefunds", refunds, drain, requestRefund),
      sweepIdle: await count("sweepOrders", idleRuns, () => stack.call("sweepOrders", {})),
    };
  }

  async function count(
    functionName: string,
    calls: number,
    call: (at: number) => Promise<unknown>,
    prepare?: (at: number) => Promise<unknown>,
  ): Promise<Operation> {
    log(`${functionName}, ${calls} calls`);
    return countCalls(stack, { functionName, memoryMb: memoryOf(functionName), calls, call, prepare });
  }

  // Afterwards Redis has the scripts in its cache, as it has after the first call of a month.
  await countAll(1, 1, 1);
  const operations = await countAll(orders, Math.min(orders, MIN_REFUNDS), IDLE_RUNS);
  const [announced, pending, refunds] = await Promise.all([
    stack.redis.xLen("order_completed"),
    stack.redis.zCard("orders:pending"),
    stack.redis.xLen("refund_order"),
  ]);
  if (announced !== orders + 1 || pending > 0 || refunds > 0) {
    throw new Error(
      `${announced - 1} of ${orders} orders are completed; ${pending} pending, ${refunds} refund requests`,
    );
  }
  const order = (await stack.redis.memoryUsage(`order:${pks.at(-1)}`)) ?? 0;
  const stream = (await stack.redis.memoryUsage("order_completed", { SAMPLES: 0 })) ?? 0;
  return { storedBytesPerOrder: Math.round(order + stream / announced), operations };
}

export const commandCount = ({ commands }: Operation): number =>
  Object.values(commands).reduce((sum, calls) => sum + calls, 0);

interface CountedCalls {
  readonly functionName: string;
  readonly memoryMb: number;
  readonly calls: number;
  readonly call: (at: number) => Promise<unknown>;
  /** What others do before the call: not counted. */
  readonly prepare: ((at: number) => Promise<unknown>) | undefined;
}

async function countCalls(stack: MeasuredStack, counted: CountedCalls): Promise<Operation> {
  const { functionName, memoryMb, calls, call, prepare } = counted;
  await stack.recycle(functionName);
  const usage = stack.usageOf(functionName);
  const before = { ...usage, durations: usage.durationsMs.length, inits: usage.initsMs.length };
  const requests = { api: 0, upstash: 0, scheduler: 0 };
  const commands: Record<string, number> = {};
  for (let at = 0; at < calls; at += 1) {
    await prepare?.(at);
    const [requestsBefore, commandsBefore] = [stack.requestCounts(), await commandsOf(stack.redis)];
    await call(at);
    for (const [name, times] of Object.entries(await commandsOf(stack.redis))) {
      const ran = times - (commandsBefore[name] ?? 0);
      if (ran > 0) commands[name] = (commands[name] ?? 0) + ran;
    }
    const requestsAfter = stack.requestCounts();
    for (const server of ["api", "upstash", "scheduler"] as const) {
      requests[server] += requestsAfter[server] - requestsBefore[server];
    }
  }
  // Its whole log is metered by then.
  await stack.recycle(functionName);

  const [firstMs, ...warm] = usage.durationsMs.slice(before.durations);
  const [initMs, ...moreInits] = usage.initsMs.slice(before.inits);
  if (firstMs === undefined || initMs === undefined || warm.length !== calls - 1 || moreInits.length > 0) {
    throw new Error(`${functionName} was invoked ${warm.length + 1} times for ${calls} calls`);
  }
  if (usage.failures > before.failures) throw new Error(`${functionName} failed`);
  const coldMs = initMs + firstMs;
  return {
    functionName,
    memoryMb,
    warmMs: warm.length > 0 ? median(warm) : coldMs,
    coldMs,
    logBytes: (usage.logBytes - before.logBytes) / calls,
    requests: {
      api: requests.api / calls,
      upstash: requests.upstash / calls,
      scheduler: requests.scheduler / calls,
    },
    commands: Object.fromEntries(Object.entries(commands).map(([name, times]) => [name, times / calls])),
  };
}

/** How often each command has run, in scripts too (https://redis.io/docs/latest/commands/info/). */
async function commandsOf(redis: RedisClient): Promise<Commands> {
  const entries = [...(await redis.info("commandstats")).matchAll(COMMAND_STATISTIC)].map(
    ({ groups }) => [groups?.name ?? "", Number(groups?.calls)] as const,
  );
  return Object.fromEntries(entries.filter(([name]) => !HOUSEKEEPING.test(name)));
}

async function placeOrder(apiUrl: string): Promise<string> {
  const init = {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
    body: '{"id":"tea-green","quantity":2}',
  };
  return (await fetchOrder(`${apiUrl}/orders`, init)).pk;
}

async function fetchOrder(url: string, init?: RequestInit): Promise<Order> {
  const response = await fetchDocumented(url, init);
  if (!response.ok) throw new Error(`${url} was answered ${response.status}`);
  return Order.parse(await response.json());
}
