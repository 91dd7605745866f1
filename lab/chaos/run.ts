import { setTimeout as wait } from "node:timers/promises";
import pLimit from "p-limit";
import { PENDING_KEY, REFUND_STREAM } from "../../lib/redis/keys.ts";
import { createClients, startReader } from "./clients.ts";
import { createConsumer } from "./consumer.ts";
import { type Context, createContext } from "./context.ts";
import { readFacts } from "./database.ts";
import { untilAllFired } from "./deliveries.ts";
import { createDisasters } from "./disasters.ts";
import { mutate } from "./mutants.ts";
import type { Options } from "./options.ts";
import { createRefunds } from "./refunds.ts";
import { type Findings, findingsOf } from "./report.ts";
import { type ChaosStack, startStack } from "./stack.ts";

/** Clients at once. */
const CLIENTS = 24;

/**
 * With `scheduler` the sweep completes an order that is this late, in ms, so that sweeps and late deliveries race each other.
 */
const GRACE_MS = 4_000;

/** With `sweep` the interval of its runs, in ms. A run lasts a little longer (mutants.ts). A minute is a tenth of a real one. */
const MINUTE_MS = 6_000;

/** More than any order's 5 seconds and its clock's skew, in ms. */
const MAX_DUE_MS = 15_000;

/** After this many rounds in which nothing was settled, nothing will be. */
const POLLER_ROUNDS = 5;

/** With `sweep` the second run lasts until the last order is due; further ones are for consumers that are behind. */
const SWEEP_ROUNDS = 12;

const PROGRESS_MS = 5_000;

const PAUSE_MS = 300;
const AGEING_PAUSE_MS = 1_500;
const READING_PAUSE_MS = 100;

/** Requests that a dead or failing poller has held for this long, in ms, are aged. */
const HELD_MS = 1_000;

/** What AWS starts every minute, at least once: here two at once. */
const TIMED = {
  scheduler: ["drainRefunds", "drainRefunds", "sweepOrders", "sweepOrders"],
  sweep: ["drainRefunds", "drainRefunds"],
};

/**
 * One whole run: orders and refunds under faults, then calm, then judgement. Everything that it starts ends with it.
 * @param log gets the progress of the run, a line at a time
 */
export async function run(options: Options, log: (line: string) => void): Promise<Findings> {
  const { orders } = options;
  const context = createContext(options);
  const { faults, metrics, prices } = context;
  const mutant = options.undo ?? options.defect;
  const names = [...(options.completion === "sweep" ? ["short-runs" as const] : []), ...(mutant ? [mutant] : [])];
  await using stack = await startStack(context, [mutate(names)]);
  const { apiUrl, database } = stack;

  const refunds = createRefunds(context, database);
  const reader = startReader(context, apiUrl);
  const consumer = await createConsumer(context, database);
  const stopConsumer = repeat(READING_PAUSE_MS, consumer.read);
  const stopTimers = startTimers(context, stack);
  const { place, ...clients } = createClients(context, apiUrl, (order, pk) => {
    reader.watch(order, pk);
    refunds.follow(order, pk);
  });
  const strike = createDisasters(context, database, refunds, clients);

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
  await settle(context, stack);
  await stopConsumer();
  if (options.faults > 0) {
    await consumer.addOverdueOrders();
    await sweepAll(stack, consumer.read);
    await refunds.behindInvalid(() => stack.host.invoke("drainRefunds", {}));
    await drainAll(stack);
  }
  await reader.stop();

  await consumer.read();
  const facts = { ...(await database.direct(readFacts)), announcements: consumer.announcements };
  const { requests } = refunds;
  const evidence = {
    facts,
    placements,
    requests,
    seen: reader.violations,
    metrics,
    prices,
    completion: options.completion,
  };
  return findingsOf(context, evidence, reader.figures);
}

/**
 * The calm after the faults. With `scheduler` every order becomes overdue and the sweep runs, while late deliveries arrive, and
 * the last schedules fire for what the sweep has completed. With `sweep` runs follow each other until the last order is due.
 * Then the pollers run.
 */
async function settle({ options }: Context, stack: ChaosStack): Promise<void> {
  const { database, deliveries, scheduler } = stack;
  if (options.completion === "scheduler") await database.ageOrders(-MAX_DUE_MS);
  await Promise.all([sweepAll(stack), deliveries.flush()]);
  scheduler.advance(MAX_DUE_MS);
  await untilAllFired(scheduler.url);
  await deliveries.flush();
  await drainAll(stack);
}

/**
 * Runs the sweep until no order is pending, or it is clear that it will not complete all.
 * @param afterRun what happens in the minute before the next run
 */
async function sweepAll({ host, database }: ChaosStack, afterRun = async () => {}): Promise<void> {
  for (let round = 1; round <= SWEEP_ROUNDS; round += 1) {
    await host.invoke("sweepOrders", {});
    await afterRun();
    if ((await database.direct((client) => client.zCard(PENDING_KEY))) === 0) return;
  }
}

/** Runs the pollers until the refund stream is empty, or it is clear that it will not be. */
async function drainAll({ host, database }: ChaosStack): Promise<void> {
  let fewest = Number.POSITIVE_INFINITY;
  for (let round = 1; round <= POLLER_ROUNDS && fewest > 0; round += 1) {
    await database.ageRequests(0);
    await Promise.all([host.invoke("drainRefunds", {}), host.invoke("drainRefunds", {})]);
    const left = await database.direct((client) => client.xLen(REFUND_STREAM));
    if (left < fewest) round = 0;
    fewest = Math.min(fewest, left);
  }
}

/**
 * What AWS does every minute, here several times a second. And what time does: requests that a poller holds grow old enough
 * to be taken from it, sometimes while it still lives, and orders overdue enough for the sweep. Runs of `sweep` overlap: the
 * next one starts even if the last one failed.
 * @returns ends them all
 */
function startTimers({ options, faults }: Context, { host, database }: ChaosStack): () => Promise<void> {
  const runs: Promise<unknown>[] = [];
  const startRun = () => runs.push(host.invoke("sweepOrders", {}));

  async function startRuns(): Promise<void> {
    startRun();
    if (!faults.strike("sweep", "run", { started_twice: 1 })) return;
    startRun();
    faults.count("sweep.started_twice");
  }

  const stops = [
    ...TIMED[options.completion].map((name) => repeat(PAUSE_MS, () => host.invoke(name, {}))),
    repeat(AGEING_PAUSE_MS, () => database.ageRequests(HELD_MS)),
    options.completion === "sweep"
      ? repeat(MINUTE_MS, startRuns)
      : repeat(PAUSE_MS, () => database.ageOrders(GRACE_MS)),
  ];
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
    await Promise.all(runs);
  };
}

/** @returns ends it, once the work under way is done */
function repeat(pauseMs: number, work: () => Promise<unknown>): () => Promise<void> {
  const stopped = new AbortController();
  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await work();
      await wait(pauseMs, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  }
  const running = run();
  return async () => {
    stopped.abort();
    await running;
  };
}
