import { setTimeout } from "node:timers/promises";

/**
 * The longest single timer, in ms. A timer over 2^31 - 1 ms fires at once, and one that a sleeping laptop holds up
 * counts none of the sleep: short steps, each measured against the clock, are right in both cases.
 */
const MAX_STEP_MS = 60_000;

/** The machine's clock, which a test can move forward. Times are in ms since 1970. */
export interface Clock {
  now(): number;
  /** Moves the clock forward by `ms`: every wait until then ends now. */
  advance(ms: number): void;
  /**
   * Waits until the clock shows `timeMs`, never less, whatever the timer's own rounding.
   * @returns whether the time came; false when `signal` ended the wait
   */
  sleepUntil(timeMs: number, signal: AbortSignal): Promise<boolean>;
}

export function createClock(): Clock {
  let aheadMs = 0;
  let advanced = new AbortController();
  const now = () => Date.now() + aheadMs;

  return {
    now,
    advance(ms) {
      aheadMs += ms;
      advanced.abort();
      advanced = new AbortController();
    },
    async sleepUntil(timeMs, signal) {
      for (let left = timeMs - now(); left > 0; left = timeMs - now()) {
        if (signal.aborted) return false;
        const either = AbortSignal.any([signal, advanced.signal]);
        await setTimeout(Math.min(Math.ceil(left), MAX_STEP_MS), undefined, { signal: either }).catch(() => undefined);
      }
      return !signal.aborted;
    },
  };
}
