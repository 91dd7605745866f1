import { call, use } from "../call.ts";
import { interleave } from "../interleave.ts";
import { row } from "../row.ts";
import { sampleEvents } from "../sample-events.ts";
import type { MeasuredStack } from "../stack.ts";
import type { Measure } from "./measure.ts";

const TARGETS: Readonly<Record<string, number>> = { getOrder: 25, createOrder: 65 };

type Start = (stack: MeasuredStack, functionName: string, event: unknown) => Promise<number>;

/** From a fresh process to its first reply. */
export const measureColdStart: Measure = async (stack, { coldStarts, typical }) => {
  const events = await sampleEvents(stack);
  const start = { time: startTime, cpu: startCpu }[coldStarts.by];
  const [floor = [], ...subjects] = await interleave(
    [["emptyFloor", {}] as const, ...events].map(
      ([name, event]) =>
        () =>
          start(stack, name, event),
    ),
    { rounds: coldStarts.rounds, calls: 1 },
  );
  return events.map(([name], index) => {
    const value = TARGETS[name];
    return row({
      group: "cold start",
      measure: `${name} cold start${coldStarts.by === "cpu" ? ", CPU time" : ""}`,
      name,
      unit: "ms",
      subject: typical((subjects[index] ?? []).flat()),
      floor: typical(floor.flat()),
      ...(value !== undefined && { target: { of: "difference", bound: "at most", value } }),
    });
  });
};

const startTime: Start = async (stack, functionName, event) => {
  await stack.recycle(functionName);
  const begunMs = performance.now();
  await call(stack, functionName, event);
  return performance.now() - begunMs;
};

const startCpu: Start = async (stack, functionName, event) => {
  await stack.recycle(functionName);
  return (await use(stack, functionName, event)).cpuMs;
};
