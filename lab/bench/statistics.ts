/** Fewer calls than this have no 99th percentile worth the name: 20 of 2,000 are slower. */
const MIN_P99_CALLS = 2_000;

/** One call; returns what was measured. */
export type Call<Result = number> = (index: number) => Promise<Result>;

/** One line of a run: what was measured, the same of its baseline, and whether it meets its target. */
export interface Row {
  readonly group:
    | "cpu"
    | "cold start"
    | "memory"
    | "batch"
    | "growth"
    | "throughput"
    | "burst"
    | "lateness"
    | "commands";
  readonly measure: string;
  /** The function or request that is measured. */
  readonly name: string;
  /** The number of connections, or of stored orders. */
  readonly at?: number;
  /** Empty for a number of things. */
  readonly unit: "ms" | "s" | "/s" | "MB" | "";
  readonly value: number;
  readonly baseline?: number | undefined;
  /** Whether the baseline is subtracted: memory and the like. By default the value is a multiple of it. */
  readonly asDifference?: boolean;
  /** The target: bounds of `compared`. */
  readonly atMost?: number | undefined;
  readonly atLeast?: number | undefined;
}

/**
 * Runs all sides in turns, a round of calls each, in the opposite order every other round, so that other work on the machine
 * slows all of them alike.
 * @returns for each side, in the order given, the results of its calls by round
 */
export async function interleave<Result>(
  sides: readonly Call<Result>[],
  rounds: number,
  calls = 1,
): Promise<Result[][][]> {
  const results: Result[][][] = sides.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    const turns = [...sides.entries()];
    for (const [side, measure] of round % 2 === 0 ? turns : turns.toReversed()) {
      const ofRound: Result[] = [];
      for (let index = 0; index < calls; index += 1) ofRound.push(await measure(round * calls + index));
      results[side]?.push(ofRound);
    }
  }
  return results;
}

/** The difference from the baseline, or the multiple of the baseline; without a baseline the value itself. */
export function compared({ value, baseline, asDifference = false }: Row): number {
  if (baseline === undefined) return value;
  return asDifference ? value - baseline : value / baseline;
}

/** Whether a row meets its target; undefined without one. A value that could not be measured misses. */
export function meetsTarget(row: Row): boolean | undefined {
  const { atMost, atLeast } = row;
  if (atMost === undefined && atLeast === undefined) return undefined;
  const value = compared(row);
  return value <= (atMost ?? Number.POSITIVE_INFINITY) && value >= (atLeast ?? Number.NEGATIVE_INFINITY);
}

/** The middle value, the lower one of two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The value that 99 % of the calls do not exceed; undefined for fewer than 2,000 calls. */
export function p99(values: readonly number[]): number | undefined {
  return values.length < MIN_P99_CALLS ? undefined : percentile(values, 0.99);
}

/** The smallest value that a share of the values, from 0 to 1, does not exceed: of few values the largest. */
export function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN;
}
