import { placeOrderEvent } from "../lambda-host/events.ts";
import { ORDER_BODY, sampleEvents, storeOverdueOrders, storeRefundRequests } from "./orders.ts";
import type { MeasuredStack, Stacks } from "./stack.ts";
import { type Call, interleave, median, type Row } from "./statistics.ts";

/** `createOrder` of a stack with `sweep` neither loads nor configures the client of AWS. */
const SWEEP_CREATE_ORDER = "createOrder, sweep";

/** As a multiple of an empty handler's. Clients wait for the cold starts of these functions. */
const COLD_START_TARGETS: Readonly<Record<string, Pick<Row, "atMost">>> = {
  getOrder: { atMost: 2.5 },
  createOrder: { atMost: 4 },
  [SWEEP_CREATE_ORDER]: { atMost: 1.75 },
};

/** In MB above an empty handler's. The docs page is the largest bundle and not urgent, so it has no target. */
const MAX_MEMORY_MB: Readonly<Record<string, number | undefined>> = {
  ...{ createOrder: 50, [SWEEP_CREATE_ORDER]: 30, getOrder: 30, completeOrder: 30, unknownRoute: 30 },
  ...{ drainRefunds: 45, sweepOrders: 45 },
};

/** V8 lets the heap of a process grow at first; after this many calls it hardly grows any more. */
const MEMORY_CALLS = 500;
/** What the poller and the sweep find at their first call. */
const MEMORY_ITEMS = 4_000;

interface Subject {
  readonly label: string;
  readonly stack: MeasuredStack;
  readonly name: string;
  readonly event: unknown;
}

/** The time from a fresh process to its first reply: a client waits for it when Lambda starts an instance. */
export function measureColdStarts(stacks: Stacks, rounds: number): Promise<Row[]> {
  async function coldStartMs({ stack, name, event }: Subject): Promise<number> {
    await stack.recycle(name);
    const startedAt = performance.now();
    await stack.call(name, event);
    return performance.now() - startedAt;
  }
  return measureInstances(stacks, rounds, coldStartMs, (label) => ({
    ...{ group: "cold start", measure: `${label}: cold start`, unit: "ms" },
    ...COLD_START_TARGETS[label],
  }));
}

/** The most memory that a fresh instance has in its first calls: what `memorySize` in serverless.yml must hold. */
export function measureMemory(stacks: Stacks, rounds: number): Promise<Row[]> {
  async function peakMb({ stack, name, event }: Subject): Promise<number> {
    if (name === "drainRefunds") await storeRefundRequests(stack.redis, MEMORY_ITEMS);
    if (name === "sweepOrders") await storeOverdueOrders(stack.redis, MEMORY_ITEMS);
    await stack.recycle(name);
    let peak = 0;
    for (let made = 0; made < MEMORY_CALLS; made += 1) peak = (await stack.call(name, event)).maxMemoryMb;
    return peak;
  }
  return measureInstances(stacks, rounds, peakMb, (label) => ({
    ...{ group: "memory", measure: `${label}: peak memory`, unit: "MB", asDifference: true },
    atMost: MAX_MEMORY_MB[label],
  }));
}

/** The median of each function's instances, in turns with those of an empty handler. */
async function measureInstances(
  { scheduler, sweep }: Stacks,
  rounds: number,
  measure: (subject: Subject) => Promise<number>,
  row: (label: string) => Omit<Row, "name" | "value" | "baseline">,
): Promise<Row[]> {
  const events = await sampleEvents(scheduler);
  const subjects = events.map(([name, event]) => ({ label: name, stack: scheduler, name, event }));
  const created = { label: SWEEP_CREATE_ORDER, stack: sweep, name: "createOrder", event: placeOrderEvent(ORDER_BODY) };
  const empty = { label: "", stack: scheduler, name: "emptyHandler", event: {} };
  const measured = [created, ...subjects];
  const sides: Call[] = [empty, ...measured].map((subject) => () => measure(subject));
  const [baseline = Number.NaN, ...values] = (await interleave(sides, rounds)).map((results) => median(results.flat()));
  return measured.map(({ label }, index) => ({
    ...row(label),
    ...{ name: label, value: values[index] ?? Number.NaN, baseline },
  }));
}
