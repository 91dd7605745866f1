import { decodeTime } from "ulid";
import * as z from "zod/mini";

/** How long after it was placed an order is completed. */
export const COMPLETION_DELAY_MS = 5_000;

/**
 * How long after its due time the sweep completes an order that has a schedule: EventBridge Scheduler may be 60 s late, after
 * the schedule's time was rounded up to the second, and a delivery takes a moment.
 */
export const SWEEP_GRACE_MS = 65_000;

/**
 * How long a run of the sweep may last. Runs start once a minute, so with `sweep` the next one has begun before this one ends. The
 * function's time-out (serverless.yml) leaves room for the last requests.
 */
export const SWEEP_RUN_MS = 65_000;

/** How long a run of `sweep` waits at least. A shorter wait would read the index more often than completions on time need. */
export const SWEEP_MIN_WAIT_MS = 200;

/**
 * Who completes orders. `scheduler`: each order has a schedule, and the sweep completes what a schedule missed. `sweep`: the
 * sweep completes every order as soon as it is due, and there are no schedules.
 */
export const Completion = z.enum(["scheduler", "sweep"]);
export type Completion = z.infer<typeof Completion>;

export const CompletionEnv = z.object({ COMPLETION: Completion });

/** When an order is due, in ms since the epoch. Its ULID begins with the time of its creation. */
export const dueTime = (pk: string): number => decodeTime(pk) + COMPLETION_DELAY_MS;
