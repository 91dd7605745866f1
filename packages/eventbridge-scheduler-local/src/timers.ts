import type { Clock } from "./clock.ts";
import { type Schedule, timeAfter } from "./schedule.ts";

/** @param dueMs the time for which the schedule fires */
export type Deliver = (schedule: Schedule, dueMs: number) => Promise<void>;

interface TimersOptions {
  readonly clock: Clock;
  readonly deliver: Deliver;
  readonly tasks: BackgroundTasks;
  readonly delayMs: () => number;
  readonly copies: () => number;
  /** Called when the schedule has fired for the last time and that delivery has ended. */
  readonly completed: (schedule: Schedule) => void;
}

/** Fires each schedule at its times. */
export interface Timers {
  /** Ignores a disabled schedule. A flexible window fires at its start. */
  add(schedule: Schedule): void;
  /** Cancels what has not fired. A delivery that has started goes on. */
  cancel(schedule: Schedule): void;
  /** Cancels every schedule, and accepts no more. */
  close(): void;
}

/** Work that goes on after the call that began it, kept in hand so that a stop can wait for its end. */
export interface BackgroundTasks {
  /** Begins `work`. A rejection is a bug of ours: it is logged, and stops nothing else. */
  start(work: () => Promise<void>): void;
  /** Resolves when nothing is under way. */
  settled(): Promise<void>;
}

export function createTimers(options: TimersOptions): Timers {
  const { clock, deliver, tasks, delayMs, copies, completed } = options;
  const waiting = new Map<Schedule, AbortController>();
  let closed = false;

  function add(schedule: Schedule): void {
    if (closed || schedule.definition.State === "DISABLED") return;
    const cancellation = new AbortController();
    waiting.set(schedule, cancellation);
    tasks.start(() => fire(schedule, cancellation.signal));
  }

  async function fire(schedule: Schedule, signal: AbortSignal): Promise<void> {
    for (let dueMs = schedule.dueMs; ; ) {
      const due = await clock.sleepUntil(dueMs + delayMs(), signal);
      const nextMs = due ? timeAfter(schedule, dueMs) : undefined;
      if (nextMs === undefined) waiting.delete(schedule);
      if (!due) return;
      const delivery = deliverAt(schedule, dueMs);
      if (nextMs === undefined) {
        await delivery;
        return completed(schedule);
      }
      tasks.start(() => delivery);
      dueMs = nextMs;
    }
  }

  /** All copies at once, not one after the other: two copies of one event race each other on AWS too. */
  async function deliverAt(schedule: Schedule, dueMs: number): Promise<void> {
    await Promise.all(Array.from({ length: copies() }, () => deliver(schedule, dueMs)));
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

/**
 * The wait in ms before the attempt that follows attempt number `attempt` (from 1): exponential from 1 s to 60 s,
 * each drawn at random from its upper half so that what failed together does not come back together.
 */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(60_000, 1000 * 2 ** (attempt - 1));
  return ceiling * (0.5 + random() / 2);
}
