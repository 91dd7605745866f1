import { setTimeout } from "node:timers/promises";

/**
 * The longest single timer, in ms. A timer over 2^31 - 1 ms fires at once, and one that a sleeping laptop holds up
 * counts none of the sleep: short steps, each measured against the clock, are right in both cases.
 */
const LONGEST_STEP_MS = 60_000;

/**
 * Waits until the clock shows `timeMs` (ms since 1970), never less, whatever the timer's own rounding.
 *
 * @returns whether the time came; false when `signal` ended the wait.
 */
export async function sleepUntil(timeMs: number, signal: AbortSignal): Promise<boolean> {
  for (let left = timeMs - Date.now(); left > 0; left = timeMs - Date.now()) {
    if (signal.aborted) return false;
    try {
      await setTimeout(Math.min(Math.ceil(left), LONGEST_STEP_MS), undefined, { signal });
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    }
  }
  return !signal.aborted;
}

/**
 * The wait in ms before the attempt that follows attempt number `attempt` (from 1): exponential from 1 s to 60 s,
 * each drawn at random from its upper half so that what failed together does not come back together.
 */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(60_000, 1000 * 2 ** (attempt - 1));
  return ceiling * (0.5 + random() / 2);
}
