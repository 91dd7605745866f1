import { sleepUntil } from "./clock.ts";
import type { Deliver } from "./delivery.ts";
import type { Schedule } from "./schedule.ts";
import type { Tasks } from "./tasks.ts";

export interface TimetableOptions {
  readonly deliver: Deliver;
  readonly tasks: Tasks;
  readonly maxDelayMs: number;
  readonly deliverTwice: boolean;
  readonly random: () => number;
  /** Called once the schedule's only time has passed and its delivery ended. */
  readonly completed: (schedule: Schedule) => void;
}

/** Fires each schedule once, at its time. */
export interface Timetable {
  /** A disabled schedule is not entered. A flexible window is met at its start. */
  add(schedule: Schedule): void;
  /** Ends the wait of a schedule that has not fired. A delivery that began goes on. */
  cancel(schedule: Schedule): void;
  /** Ends every wait, and enters nothing from now on. */
  close(): void;
}

export function createTimetable(options: TimetableOptions): Timetable {
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
    // Both at once, not one after the other: two copies of one event race each other on AWS too.
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
