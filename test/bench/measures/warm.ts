import { call } from "../call.ts";
import { interleave } from "../interleave.ts";
import { type Row, row } from "../row.ts";
import type { Settings } from "../settings.ts";
import type { MeasuredStack } from "../stack.ts";
import { percentile } from "../statistics.ts";
import type { WarmCase } from "../warm-cases.ts";
import type { Measure } from "./measure.ts";

/** What a call takes in an instance that is warm. */
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
  { name, functionName, floor, target, events }: WarmCase,
): Promise<Row[]> {
  const { rounds, calls, warmUp } = warm;
  const both = await events(stack, warmUp + rounds * calls);
  const sides = [
    (index: number) => call(stack, functionName, both.subject[index]),
    (index: number) => call(stack, floor, both.floor[index]),
  ];
  await interleave(sides, { rounds: 1, calls: warmUp });
  const [subject = [], bare = []] = await interleave(
    sides.map((side) => (index: number) => side(warmUp + index)),
    { rounds, calls },
  );
  return [50, 99].map((percent) =>
    row({
      group: "warm",
      measure: `${name} warm, p${percent}`,
      name,
      percent,
      unit: "ms",
      subject: typical(subject.map((ofRound) => percentile(ofRound, percent))),
      floor: typical(bare.map((ofRound) => percentile(ofRound, percent))),
      target: { of: "ratio", bound: "at most", value: target },
    }),
  );
}
