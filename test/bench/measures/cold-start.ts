import { call } from "../call.ts";
import { interleave } from "../interleave.ts";
import { row } from "../row.ts";
import { sampleEvents } from "../sample-events.ts";
import type { MeasuredStack } from "../stack.ts";
import type { Measure } from "./measure.ts";

const TARGETS: Readonly<Record<string, number>> = { getOrder: 40, createOrder: 90 };

/** From a fresh process to its first reply. */
export const measureColdStart: Measure = async (stack, { coldStarts, typical }) => {
  const events = await sampleEvents(stack);
  const [floor = [], ...subjects] = await interleave(
    [
      () => coldStart(stack, "emptyFloor", {}),
      ...events.map(
        ([name, event]) =>
          () =>
            coldStart(stack, name, event),
      ),
    ],
    { rounds: coldStarts, calls: 1 },
  );
  return events.map(([name], index) => {
    const value = TARGETS[name];
    return row({
      group: "cold start",
      measure: `${name} cold start`,
      unit: "ms",
      subject: typical((subjects[index] ?? []).flat()),
      floor: typical(floor.flat()),
      ...(value !== undefined && { target: { of: "difference", bound: "at most", value } }),
    });
  });
};

async function coldStart(stack: MeasuredStack, functionName: string, event: unknown): Promise<number> {
  await stack.recycle(functionName);
  const begunMs = performance.now();
  await call(stack, functionName, event);
  return performance.now() - begunMs;
}
