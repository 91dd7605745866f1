import { use } from "../call.ts";
import { requestRefunds, storeCompletedOrders, storeOverdueOrders } from "../orders.ts";
import { row } from "../row.ts";
import { sampleEvents } from "../sample-events.ts";
import type { MeasuredStack } from "../stack.ts";
import type { Measure } from "./measure.ts";

const TARGET_MB = 60;

/** V8 lets a process grow at first; after so many calls it hardly does any more. */
const CALLS = 500;

/** What the poller and the sweep find at their first call. */
const ITEMS = 4_000;

/** The most memory that a fresh instance has in its first calls, which for the poller and the sweep are work in batches. */
export const measureMemory: Measure = async (stack) => {
  const { redis } = stack;
  const events = await sampleEvents(stack);
  await requestRefunds(redis, await storeCompletedOrders(redis, ITEMS));
  await storeOverdueOrders(redis, ITEMS);
  const floor = await peakMb(stack, "emptyFloor", {});
  const rows = [];
  for (const [name, event] of events) {
    const target = { of: "difference", bound: "at most", value: TARGET_MB } as const;
    rows.push(row({ ...measured(name), subject: await peakMb(stack, name, event), floor, target }));
  }
  // What any function that calls Redis needs of it, and Node's `fetch` alone.
  const bare = await peakMb(stack, "pipelinesFloor", { pipelines: [[["ping"]]] });
  return [...rows, row({ ...measured("bare fetch"), subject: bare, floor })];
};

const measured = (name: string) => ({ group: "memory", measure: `${name} peak memory`, name, unit: "MB" }) as const;

async function peakMb(stack: MeasuredStack, functionName: string, event: unknown): Promise<number> {
  await stack.recycle(functionName);
  let peak = 0;
  for (let made = 0; made < CALLS; made += 1) peak = (await use(stack, functionName, event)).maxMemoryMb;
  return peak;
}
