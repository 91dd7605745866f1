import type { Usage } from "../../../test/lambda/messages.ts";
import { use } from "../call.ts";
import { type Row, row } from "../row.ts";
import type { Settings } from "../settings.ts";
import type { MeasuredStack } from "../stack.ts";
import { mean, percentile } from "../statistics.ts";
import type { WarmCase } from "../warm-cases.ts";
import type { Measure } from "./measure.ts";

/** What a call takes in an instance that is warm: CPU time, which Lambda's share of a CPU turns into time, and time. */
export function measureWarm(cases: readonly WarmCase[]): Measure {
  return async (stack, settings) => {
    const rows: Row[] = [];
    for (const warmCase of cases) rows.push(...(await measureCase(stack, settings, warmCase)));
    return rows;
  };
}

async function measureCase(
  stack: MeasuredStack,
  { warm, typical }: Settings,
  { name, functionName, cpuMs, events }: WarmCase,
): Promise<Row[]> {
  const { rounds, calls, warmUp } = warm;
  const left = [...(await events(stack, warmUp + rounds * calls))];
  await usagesOf(left.splice(0, warmUp));
  const byRound: Usage[][] = [];
  for (let round = 0; round < rounds; round += 1) byRound.push(await usagesOf(left.splice(0, calls)));

  async function usagesOf(given: readonly unknown[]): Promise<Usage[]> {
    const usages: Usage[] = [];
    for (const event of given) usages.push(await use(stack, functionName, event));
    return usages;
  }

  const cpu = byRound.map((usages) => mean(usages.map(({ handlerCpuMs }) => handlerCpuMs)));
  const durations = byRound.map((usages) => usages.map(({ durationMs }) => durationMs));
  const measured = { group: "warm", name, unit: "ms" } as const;
  return [
    row({
      ...measured,
      measure: `${name} warm, CPU time per call`,
      subject: typical(cpu),
      target: { of: "subject", bound: "at most", value: cpuMs },
    }),
    ...[50, 99].map((percent) =>
      row({
        ...measured,
        measure: `${name} warm, p${percent}`,
        percent,
        subject: typical(durations.map((ofRound) => percentile(ofRound, percent))),
      }),
    ),
  ];
}
