import { sampleEvents, storeOverdueOrders, storeRefundRequests } from "./orders.ts";
import type { MeasuredStack } from "./stack.ts";
import { type Call, interleave, median, type Row } from "./statistics.ts";

/** As multiples of an empty handler's. Clients wait for the cold starts of these two functions. */
const MAX_COLD_START_RATIOS: Readonly<Record<string, number>> = { getOrder: 2.5, createOrder: 4 };

/** In MB above an empty handler's. The docs page is the largest bundle, and nobody waits for it in a hurry: no target. */
const MAX_MEMORY_MB: Readonly<Record<string, number | undefined>> = {
  ...{ createOrder: 50, getOrder: 30, completeOrder: 30, unknownRoute: 30 },
  ...{ drainRefunds: 45, sweepOrders: 45 },
};

/** V8 lets the heap of a process grow at first; after this many calls it hardly grows any more. */
const MEMORY_CALLS = 500;
/** What the poller and the sweep find at their first call. */
const MEMORY_ITEMS = 4_000;

/** The time from a fresh process to its first reply: a client waits for it when Lambda starts an instance. */
export function measureColdStarts(stack: MeasuredStack, rounds: number): Promise<Row[]> {
  async function coldStartMs(name: string, event: unknown): Promise<number> {
    await stack.recycle(name);
    const startedAt = performance.now();
    await stack.call(name, event);
    return performance.now() - startedAt;
  }
  return measureInstances(stack, rounds, coldStartMs, (name) => ({
    ...{ group: "cold start", measure: `${name}: cold start`, unit: "ms" },
    atMost: MAX_COLD_START_RATIOS[name],
  }));
}

/** The most memory that a fresh instance has in its first calls: what `memorySize` in serverless.yml must hold. */
export function measureMemory(stack: MeasuredStack, rounds: number): Promise<Row[]> {
  async function peakMb(name: string, event: unknown): Promise<number> {
    if (name === "drainRefunds") await storeRefundRequests(stack.redis, MEMORY_ITEMS);
    if (name === "sweepOrders") await storeOverdueOrders(stack.redis, MEMORY_ITEMS);
    await stack.recycle(name);
    let peak = 0;
    for (let made = 0; made < MEMORY_CALLS; made += 1) peak = (await stack.call(name, event)).maxMemoryMb;
    return peak;
  }
  return measureInstances(stack, rounds, peakMb, (name) => ({
    ...{ group: "memory", measure: `${name}: peak memory`, unit: "MB" },
    atMost: MAX_MEMORY_MB[name],
  }));
}

/** The median of each function's instances, in turns with those of an empty handler. */
async function measureInstances(
  stack: MeasuredStack,
  rounds: number,
  measure: (name: string, event: unknown) => Promise<number>,
  row: (name: string) => Omit<Row, "name" | "value" | "baseline">,
): Promise<Row[]> {
  const events = await sampleEvents(stack);
  const sides: Call[] = [["emptyHandler", {}] as const, ...events].map(
    ([name, event]) =>
      () =>
        measure(name, event),
  );
  const [baseline = Number.NaN, ...values] = (await interleave(sides, rounds)).map((results) => median(results.flat()));
  return events.map(([name], index) => ({ ...row(name), name, value: values[index] ?? Number.NaN, baseline }));
}
