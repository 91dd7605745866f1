import { setTimeout as wait } from "node:timers/promises";
import { Failure } from "./failure.ts";

/** Often enough to watch, seldom enough to leave the machine to the service. */
const PAUSE_MS = 400;

/**
 * Reads until there is what is waited for.
 * @param timeoutMs after which it gives up; it reads at least once
 * @param stayedBehind what to say at the time-out, given how many seconds it was
 * @throws Failure at the time-out, and whatever `read` throws
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
    if (left <= 0) throw new Failure(stayedBehind(timeoutMs / 1_000));
    await wait(Math.min(PAUSE_MS, left));
  }
}
