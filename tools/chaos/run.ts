import { setTimeout as wait } from "node:timers/promises";
import pLimit from "p-limit";
import { REFUND_STREAM } from "../../lib/redis/keys.ts";
import { change } from "./changes.ts";
import { createClients, startReader } from "./clients.ts";
import { readFacts } from "./database.ts";
import { untilAllFired } from "./deliveries.ts";
import { createDisasters, createInterceptor } from "./disasters.ts";
import { createFaults, createSeededRandom } from "./faults.ts";
import { createJournal } from "./history.ts";
import { createPriceBook } from "./inventory.ts";
import type { Options } from "./main.ts";
import { createRefunds } from "./refunds.ts";
import { type Findings, findingsOf } from "./report.ts";
import { type ChaosStack, startStack } from "./stack.ts";

/** Clients at once. */
const CLIENTS = 24;

/**
 * The sweep's clock while faults strike: its grace of a minute is over for an order that is 2 to 6 seconds late, so that
 * sweeps and late deliveries race each other.
 */
const SWEEP_AHEAD_MS = 56_000;

/** The sweep's clock after the faults: more than its grace and the last order's 5 seconds, in ms. */
const CALM_AHEAD_MS = 600_000;

/** More than any order's 5 seconds and its clock's skew, in ms. */
const MAX_DUE_MS = 15_000;

/** Each round settles all that can be: a second one is for what the first one's end left in hand. */
const POLLER_ROUNDS = 5;

const PROGRESS_MS = 5_000;

const PAUSE_MS = 300;
const AGEING_PAUSE_MS = 1_500;

/** Requests held for so long, in ms, by a poller that is dead or in trouble are aged. */
const HELD_MS = 1_000;

/** What AWS starts every minute, at least once: here two at once. */
const TIMED = ["drainRefunds", "drainRefunds", "sweepOrders", "sweepOrders"];

/** What the parts of a run share. */
export type Context = ReturnType<typeof createContext>;

function createContext(options: Options) {
  const chance = createSeededRandom(options.seed);
  return {
    options,
    chance,
    faults: createFaults(chance, options.faults),
    journal: createJournal(),
    interceptor: createInterceptor(),
    /** What the inventory said, in a run that has one. */
    prices: options.priced ? createPriceBook() : undefined,
    /** What the functions have counted, by metric. */
    metrics: new Map<string, number>(),
    /** HTTP requests of the clients so far. */
    requests: 0,
  };
}

/**
 * One whole run: orders and refunds under faults, then calm, then judgement. Everything that it starts ends with it.
 * @param log gets a line now and then that says how far the run has come
 */
export async function run(options: Options, log: (line: string) => void): Promise<Findings> {
  const { orders } = options;
  const context = createContext(options);
  const { faults, metrics, prices } = context;
  const changed = options.undo ?? options.defect;
  await using stack = await startStack(context, changed ? [change(changed)] : []);
  const { apiUrl, database } = stack;
  stack.sweepAheadMs = SWEEP_AHEAD_MS;

  const refunds = createRefunds(context, database);
  const strike = createDisasters(context, database, refunds);
  const reader = startReader(context, apiUrl);
  const stopTimers = startTimers(stack);
  const place = createClients(context, apiUrl, (order, pk) => {
    reader.watch(order, pk);
    refunds.follow(order, pk);
  });

  let placed = 0;
  let nextLineMs = 0;
  const numbers = Array.from({ length: orders }, (_, index) => index + 1);
  const placements = await pLimit(CLIENTS).map(numbers, async (order) => {
    const [placement] = await Promise.all([place(order), strike(order)]);
    if (order === Math.ceil(orders / 2)) await refunds.flood();
    placed += 1;
    if (performance.now() >= nextLineMs) {
      nextLineMs = performance.now() + PROGRESS_MS;
      log(`${placed} of ${orders} orders, ${context.requests} requests`);
    }
    return placement;
  });
  log("all orders are placed: asking for the last refunds");
  await refunds.done();
  faults.ended = true;
  log("the faults have ended: one sweep, and the pollers");
  await stopTimers();
  await settle(stack);
  if (options.faults > 0) {
    await refunds.behindInvalid(() => stack.host.invoke("drainRefunds", {}));
    await drainAll(stack);
  }
  await reader.stop();

  const facts = await database.direct(readFacts);
  const evidence = { facts, placements, requests: refunds.requests, seen: reader.violations, metrics, prices };
  return findingsOf(context, evidence, reader.figures);
}

/**
 * The calm after the faults: the sweep's clock passes every order's time and it runs once, while late deliveries arrive,
 * and the last schedules fire for what the sweep has completed. Then the pollers run.
 */
async function settle(stack: ChaosStack): Promise<void> {
  const { host, deliveries, scheduler } = stack;
  stack.sweepAheadMs = CALM_AHEAD_MS;
  await host.recycle("sweepOrders");
  await Promise.all([host.invoke("sweepOrders", {}), deliveries.flush()]);
  scheduler.advance(MAX_DUE_MS);
  await untilAllFired(scheduler.url);
  await deliveries.flush();
  await drainAll(stack);
}

/** Runs the pollers until the refund stream is empty, or it is clear that it will not be. */
async function drainAll({ host, database }: ChaosStack): Promise<void> {
  for (let round = 1; round <= POLLER_ROUNDS; round += 1) {
    await database.ageRequests(0);
    await Promise.all([host.invoke("drainRefunds", {}), host.invoke("drainRefunds", {})]);
    if ((await database.direct((client) => client.xLen(REFUND_STREAM))) === 0) return;
  }
}

/**
 * What AWS does every minute, here several times a second. And what time does: requests that a poller holds grow old enough
 * to be taken from it, sometimes while it still lives.
 * @returns ends them all
 */
function startTimers({ host, database }: ChaosStack): () => Promise<void> {
  let stopped = false;

  async function every(pauseMs: number, work: () => Promise<unknown>): Promise<void> {
    while (!stopped) {
      await work();
      await wait(pauseMs);
    }
  }

  const running = [
    ...TIMED.map((name) => every(PAUSE_MS, () => host.invoke(name, {}))),
    every(AGEING_PAUSE_MS, () => database.ageRequests(HELD_MS)),
  ];
  return async () => {
    stopped = true;
    await Promise.all(running);
  };
}
