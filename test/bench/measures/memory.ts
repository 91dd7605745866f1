import { call } from "../call.ts";
import { row } from "../row.ts";
import { sampleEvents } from "../sample-events.ts";
import type { Measure } from "./measure.ts";

const TARGET_MB = 60;

/**
 * The most memory that any instance of a function had in the whole run on this stack, so it comes last. The empty handler
 * and what was hardly called are called as often as a function that was measured warm.
 */
export const measureMemory: Measure = async (stack, { warm }) => {
  const calls = warm.warmUp + warm.rounds * warm.calls;
  const events = await sampleEvents(stack);
  for (const [name, event] of [["emptyFloor", {}] as const, ...events]) {
    while (stack.usageOf(name).invocations < calls) await call(stack, name, event);
  }
  const peak = (name: string) => ({
    group: "memory",
    measure: `${name} peak memory`,
    name,
    unit: "MB" as const,
    subject: stack.usageOf(name).maxMemoryMb,
    floor: stack.usageOf("emptyFloor").maxMemoryMb,
  });
  const target = { of: "difference", bound: "at most", value: TARGET_MB } as const;
  return [
    ...events.map(([name]) => row({ ...peak(name), target })),
    // Nothing but `fetch`: what any function that calls Redis needs of it.
    row({ ...peak("pipelinesFloor"), measure: "bare fetch peak memory" }),
  ];
};
