import { createHistogram } from "node:perf_hooks";

/** Node's histogram (HdrHistogram) holds whole numbers from 1: durations go in as nanoseconds. */
const NS_PER_MS = 1e6;
const HISTOGRAM = { lowest: 1, highest: 3_600_000 * NS_PER_MS, figures: 4 } as const;

/**
 * @param valuesMs at least one, in ms, none negative
 * @param percent above 0, up to 100
 * @returns the value that so many per cent of them do not exceed, to 4 figures
 */
export function percentile(valuesMs: readonly number[], percent: number): number {
  const histogram = createHistogram(HISTOGRAM);
  for (const valueMs of valuesMs) histogram.record(Math.max(1, Math.round(valueMs * NS_PER_MS)));
  return histogram.percentile(percent) / NS_PER_MS;
}

/** The median of any numbers, the lower one of two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
