import { use } from "../call.ts";
import { type Call, interleave } from "../interleave.ts";
import { requestRefunds, storeCompletedOrders, storeOverdueOrders } from "../orders.ts";
import { row } from "../row.ts";
import { sampleEvents } from "../sample-events.ts";
import type { MeasuredStack } from "../stack.ts";
import type { Measure } from "./measure.ts";

/** Above an empty handler's. */
const TARGETS_MB: Readonly<Record<string, number>> = { createOrder: 45, drainRefunds: 45, sweepOrders: 45 };
const TARGET_MB = 30;

/** V8 lets a process grow at first; after so many calls it hardly does any more. */
const CALLS = 500;

/** What the poller and the sweep find at their first call. */
const ITEMS = 4_000;

/** The most memory that a fresh instance has in its first calls, which for the poller and the sweep are work in batches. */
export const measureMemory: Measure = async (stack, { memory, typical }) => {
  const { redis } = stack;
  const events = await sampleEvents(stack);
  const fill: Readonly<Record<string, () => Promise<unknown>>> = {
    drainRefunds: async () => requestRefunds(redis, await storeCompletedOrders(redis, ITEMS)),
    sweepOrders: () => storeOverdueOrders(redis, ITEMS),
  };
  const peakOf =
    (name: string, event: unknown): Call =>
    async () => {
      await fill[name]?.();
      return peakMb(stack, name, event);
    };
  const [floors = [], ...others] = await interleave(
    [peakOf("emptyFloor", {}), ...events.map(([name, event]) => peakOf(name, event))],
    { rounds: memory.rounds, calls: 1 },
  );
  return events.map(([name], index) =>
    row({
      group: "memory",
      measure: `${name} peak memory`,
      name,
      unit: "MB",
      subject: typical((others[index] ?? []).flat()),
      floor: typical(floors.flat()),
      target: { of: "difference", bound: "at most", value: TARGETS_MB[name] ?? TARGET_MB },
    }),
  );
};

async function peakMb(stack: MeasuredStack, functionName: string, event: unknown): Promise<number> {
  await stack.recycle(functionName);
  let peak = 0;
  for (let made = 0; made < CALLS; made += 1) peak = (await use(stack, functionName, event)).maxMemoryMb;
  return peak;
}
