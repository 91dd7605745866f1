import { stat } from "node:fs/promises";
import { readServerlessYml } from "../../test/support/bundle.ts";
import type { Bundles } from "../lambda-host/bundles.ts";
import { sampleEvents, storeOverdueOrders, storeRefundRequests } from "./orders.ts";
import type { MeasuredStack } from "./stack.ts";
import { type Call, interleave, median, type Row } from "./statistics.ts";

const BYTES_PER_KB = 1_024;

/** As multiples of an empty handler's. Clients wait for the cold starts of these two functions. */
const MAX_COLD_START_RATIOS: Readonly<Record<string, number>> = { getOrder: 2.5, createOrder: 4 };

/** In MB above an empty handler's. The docs page is the largest bundle, and nobody waits for it in a hurry: no target. */
const MAX_MEMORY_MB: Readonly<Record<string, number | undefined>> = {
  createOrder: 50,
  drainRefunds: 45,
  sweepOrders: 45,
  docs: undefined,
};
const DEFAULT_MAX_MEMORY_MB = 30;

/** V8 lets the heap of a process grow at first; after this many calls it hardly grows any more. */
const MEMORY_CALLS = 500;
/** What the poller and the sweep find at their first call. */
const MEMORY_ITEMS = 4_000;

/** In KB. What has no budget only serves the docs page and refusals. */
const MAX_BUNDLE_KB: Readonly<Record<string, number>> = {
  getOrder: 200,
  createOrder: 400,
  completeOrder: 200,
  drainRefunds: 200,
  sweepOrders: 200,
};

/** The time from a fresh process to its first reply: a client waits for it when Lambda starts an instance. */
export async function measureColdStarts(stack: MeasuredStack, rounds: number): Promise<Row[]> {
  const coldStart =
    (name: string, event: unknown): Call =>
    async () => {
      await stack.recycle(name);
      const startedAt = performance.now();
      await stack.call(name, event);
      return performance.now() - startedAt;
    };
  return measureInstances(stack, rounds, coldStart, (name, value, baseline) => ({
    group: "cold start",
    measure: `${name}: cold start`,
    name,
    unit: "ms",
    value,
    baseline,
    ...(MAX_COLD_START_RATIOS[name] !== undefined && {
      target: { of: "ratio", bound: "at most", value: MAX_COLD_START_RATIOS[name] },
    }),
  }));
}

/** The most memory that a fresh instance has in its first calls: what `memorySize` in serverless.yml must hold. */
export async function measureMemory(stack: MeasuredStack, rounds: number): Promise<Row[]> {
  const prepare: Readonly<Record<string, () => Promise<unknown>>> = {
    drainRefunds: () => storeRefundRequests(stack.redis, MEMORY_ITEMS),
    sweepOrders: () => storeOverdueOrders(stack.redis, MEMORY_ITEMS),
  };
  const peak =
    (name: string, event: unknown): Call =>
    async () => {
      await prepare[name]?.();
      await stack.recycle(name);
      let peakMb = 0;
      for (let made = 0; made < MEMORY_CALLS; made += 1) peakMb = (await stack.call(name, event)).maxMemoryMb;
      return peakMb;
    };
  return measureInstances(stack, rounds, peak, (name, value, baseline) => {
    const max = name in MAX_MEMORY_MB ? MAX_MEMORY_MB[name] : DEFAULT_MAX_MEMORY_MB;
    const row: Row = { group: "memory", measure: `${name}: peak memory`, name, unit: "MB", value, baseline };
    return max === undefined ? row : { ...row, target: { of: "difference", bound: "at most", value: max } };
  });
}

/** The size of each bundle: what a cold start has to read. Exact for a commit. */
export async function measureBundles({ paths }: Pick<Bundles, "paths">): Promise<Row[]> {
  const { functions } = await readServerlessYml();
  return Promise.all(
    Object.keys(functions).map(async (name): Promise<Row> => {
      const { size } = await stat(paths[name] ?? "");
      const max = MAX_BUNDLE_KB[name];
      const row: Row = { group: "bundle", measure: `${name}: bundle`, name, unit: "KB", value: size / BYTES_PER_KB };
      return max === undefined ? row : { ...row, target: { of: "value", bound: "at most", value: max } };
    }),
  );
}

/** The median of each function's instances, in turns with those of an empty handler. */
async function measureInstances(
  stack: MeasuredStack,
  rounds: number,
  measure: (name: string, event: unknown) => Call,
  row: (name: string, value: number, baseline: number) => Row,
): Promise<Row[]> {
  const events = await sampleEvents(stack);
  const sides = [measure("emptyHandler", {}), ...events.map(([name, event]) => measure(name, event))];
  const [baseline = [], ...results] = await interleave(sides, rounds);
  return events.map(([name], index) => row(name, median(results[index]?.flat() ?? []), median(baseline.flat())));
}
