import { setTimeout } from "node:timers/promises";
import type { Deliver } from "./delivery.ts";
import type { Schedule } from "./schedule.ts";

/**
 * The longest single timer, in ms. A timer over 2^31 - 1 ms fires at once, and a timer does not count the time in which a
 * laptop sleeps. Short steps, each compared with the clock, are correct in both cases.
 */
const MAX_STEP_MS = 60_000;

interface TimersOptions {
  readonly deliver: Deliver;
  readonly tasks: BackgroundTasks;
  readonly maxDelayMs: number;
  readonly deliverTwice: boolean;
  readonly random: () => number;
  /** Called when the schedule has fired and its delivery has ended. */
  readonly completed: (schedule: Schedule) => void;
}

/** Fires each schedule once, at its time. */
export interface Timers {
  /** Ignores a disabled schedule. A flexible window fires at its start. */
  add(schedule: Schedule): void;
  /** Cancels a schedule that has not fired. A delivery that has started goes on. */
  cancel(schedule: Schedule): void;
  /** Cancels every schedule, and accepts no more. */
  close(): void;
}

export function createTimers(options: TimersOptions): Timers {
  const { deliver, tasks, maxDelayMs, deliverTwice, random, completed } = options;
  const waiting = new Map<Schedule, AbortController>();
  let closed = false;

  function add(schedule: Schedule): void {
    if (closed || schedule.definition.State === "DISABLED") return;
    const cancellation = new AbortController();
    waiting.set(schedule, cancellation);
    tasks.start(() => fire(schedule, cancellation.signal));
  }

  async function fire(schedule: Schedule, signal: AbortSignal): Promise<void> {
    const came = await sleepUntil(schedule.dueMs + random() * maxDelayMs, signal);
    waiting.delete(schedule);
    if (!came) return;
    // Both at once: on AWS too, two copies of one event may run at the same time.
    await Promise.all(deliverTwice ? [deliver(schedule), deliver(schedule)] : [deliver(schedule)]);
    completed(schedule);
  }

  function cancel(schedule: Schedule): void {
    waiting.get(schedule)?.abort();
  }

  function close(): void {
    closed = true;
    for (const cancellation of waiting.values()) cancellation.abort();
  }

  return { add, cancel, close };
}

/**
 * Waits until the clock shows at least `timeMs` (ms since 1970), even if the timer rounds down.
 *
 * @returns false if `signal` ended the wait
 */
export async function sleepUntil(timeMs: number, signal: AbortSignal): Promise<boolean> {
  for (let left = timeMs - Date.now(); left > 0; left = timeMs - Date.now()) {
    if (signal.aborted) return false;
    try {
      await setTimeout(Math.min(Math.ceil(left), MAX_STEP_MS), undefined, { signal });
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    }
  }
  return !signal.aborted;
}

/**
 * The wait in ms before the attempt that follows attempt number `attempt` (from 1): exponential from 1 s to 60 s,
 * each random in its upper half, so that events that failed together are not retried together.
 */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(60_000, 1000 * 2 ** (attempt - 1));
  return ceiling * (0.5 + random() / 2);
}

/** Work that continues after the call that started it. A stop can wait for its end. */
export interface BackgroundTasks {
  /** Starts `work`. A rejection is a bug of this package: it is logged, and other work goes on. */
  start(work: () => Promise<void>): void;
  /** Resolves when all work has ended. */
  settled(): Promise<void>;
}

export function createBackgroundTasks(log: (line: string) => void): BackgroundTasks {
  const underWay = new Set<Promise<void>>();

  function start(work: () => Promise<void>): void {
    const task = work()
      .catch((error: unknown) =>
        log(`scheduler: internal error: ${error instanceof Error ? error.stack : String(error)}`),
      )
      .finally(() => underWay.delete(task));
    underWay.add(task);
  }

  async function settled(): Promise<void> {
    while (underWay.size > 0) await Promise.all(underWay);
  }

  return { start, settled };
}
