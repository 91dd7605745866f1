import { Order } from "../../lib/orders/order.ts";
import { readMemorySizes } from "../../test/support/bundle.ts";
import { fetchDocumented } from "../../test/support/contract.ts";
import { type RedisClient, startStack } from "../bench/stack.ts";
import { median } from "../bench/statistics.ts";

/** How often each poller runs with nothing to do. */
const IDLE_RUNS = 50;
/** Fewer drains than that would be one cold start and little else. */
const MIN_REFUNDS = 10;

/** What connections send for themselves, and the command that reads these numbers. */
const HOUSEKEEPING = /^(hello|info|auth|select|ping|command|client\|.+|config\|.+)$/;
const COMMAND_STATISTIC = /^cmdstat_(?<name>[^:]+):calls=(?<calls>\d+)/gm;

const NEW_ORDER = { method: "POST", body: '{"id":"tea-green","quantity":2}' };

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
  /** HTTP requests, by server: `api`, `upstash`, `scheduler`. */
  readonly requests: Readonly<Record<string, number>>;
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
 * Places, reads, completes and refunds orders at the whole service on this machine, one call at a time, and counts what each
 * kind of call uses. Every order has an Idempotency-Key. Each refund is drained alone, which costs the most.
 * @throws Error when an order was not completed or refunded: failures are cheap
 */
export async function countOperations(orders: number, log: (line: string) => void): Promise<Counts> {
  await using stack = await startStack({ holdSchedules: true });
  const memoryOf = await readMemorySizes();
  const pks: string[] = [];

  async function countAll(placed: number, refunds: number, idleRuns: number): Promise<Counts["operations"]> {
    pks.length = 0;
    const drain = () => stack.call("drainRefunds", {});
    return {
      create: await count("createOrder", placed, async () => pks.push(await placeOrder(stack.apiUrl))),
      get: await count("getOrder", placed, (at) => fetchOrder(`${stack.apiUrl}/orders/${pks[at]}`)),
      complete: await count("completeOrder", placed, (at) => stack.call("completeOrder", { pk: pks[at] })),
      drainIdle: await count("drainRefunds", idleRuns, drain),
      drainOne: await count("drainRefunds", refunds, drain, (at) =>
        stack.redis.xAdd("refund_order", "*", { pk: pks[at] ?? "" }),
      ),
      sweepIdle: await count("sweepOrders", idleRuns, () => stack.call("sweepOrders", {})),
    };
  }

  /** @param prepare what others do before a call: not counted */
  async function count(
    functionName: string,
    calls: number,
    call: (at: number) => Promise<unknown>,
    prepare: (at: number) => Promise<unknown> = async () => undefined,
  ): Promise<Operation> {
    log(`${functionName}, ${calls} calls`);
    await stack.recycle(functionName);
    const usage = stack.usageOf(functionName);
    const before = structuredClone(usage);
    const requests: Record<string, number> = {};
    const commands: Record<string, number> = {};
    for (let at = 0; at < calls; at += 1) {
      await prepare(at);
      const [requestsBefore, commandsBefore] = [stack.requestCounts(), await commandsOf(stack.redis)];
      await call(at);
      addDifference(requests, stack.requestCounts(), requestsBefore);
      addDifference(commands, await commandsOf(stack.redis), commandsBefore);
    }
    // Its whole log is metered by then.
    await stack.recycle(functionName);
    const [firstMs = Number.NaN, ...warm] = usage.durationsMs.slice(before.durationsMs.length);
    const [initMs = Number.NaN, ...moreInits] = usage.initsMs.slice(before.initsMs.length);
    if (warm.length !== calls - 1 || moreInits.length > 0 || usage.failures > before.failures) {
      throw new Error(`${functionName} was not invoked ${calls} times with success in one instance`);
    }
    const coldMs = initMs + firstMs;
    const times = { warmMs: warm.length > 0 ? median(warm) : coldMs, coldMs };
    const logBytes = (usage.logBytes - before.logBytes) / calls;
    const memoryMb = memoryOf(functionName);
    return {
      functionName,
      memoryMb,
      ...times,
      logBytes,
      requests: perCall(requests, calls),
      commands: perCall(commands, calls),
    };
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

/** How often each command has run, in scripts too (https://redis.io/docs/latest/commands/info/). */
async function commandsOf(redis: RedisClient): Promise<Record<string, number>> {
  const entries = [...(await redis.info("commandstats")).matchAll(COMMAND_STATISTIC)].map(
    ({ groups }) => [groups?.name ?? "", Number(groups?.calls)] as const,
  );
  return Object.fromEntries(entries.filter(([name]) => !HOUSEKEEPING.test(name)));
}

/** Adds what came between two counts. */
function addDifference(
  sums: Record<string, number>,
  after: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): void {
  for (const [name, count] of Object.entries(after)) {
    const more = count - (before[name] ?? 0);
    if (more > 0) sums[name] = (sums[name] ?? 0) + more;
  }
}

const perCall = (sums: Readonly<Record<string, number>>, calls: number): Record<string, number> =>
  Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / calls]));

async function placeOrder(apiUrl: string): Promise<string> {
  const headers = { "content-type": "application/json", "idempotency-key": crypto.randomUUID() };
  return (await fetchOrder(`${apiUrl}/orders`, { ...NEW_ORDER, headers })).pk;
}

async function fetchOrder(url: string, init?: RequestInit): Promise<Order> {
  return Order.parse(await (await fetchDocumented(url, init)).json());
}
