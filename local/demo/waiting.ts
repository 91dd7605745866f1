import { setTimeout as wait } from "node:timers/promises";
import { DemoFailure } from "./failure.ts";

/** Often enough to watch, seldom enough to leave the machine to the service. */
const PAUSE_MS = 400;

/**
 * Reads until there is what is waited for.
 * @param timeoutMs after which it gives up; it reads at least once
 * @param stayedBehind what to say at the time-out, given how many seconds it was
 * @throws DemoFailure at the time-out, and whatever `read` throws
 */
export async function waitFor<Found>(
  read: () => Promise<Found | undefined>,
  timeoutMs: number,
  stayedBehind: (seconds: number) => string,
): Promise<Found> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await read();
    if (found !== undefined) return found;
    const left = deadline - performance.now();
    if (left <= 0) throw new DemoFailure(stayedBehind(timeoutMs / 1_000));
    await wait(Math.min(PAUSE_MS, left));
  }
}

export interface Gate {
  /** Resolves once all have passed. */
  readonly opened: Promise<void>;
  pass(): void;
}

/** Holds work back until `count` others have passed. */
export function gate(count: number): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  let missing = count;
  return {
    opened: promise,
    pass: () => {
      missing -= 1;
      if (missing === 0) resolve();
    },
  };
}
