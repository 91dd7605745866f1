import { decodeTime } from "ulid";

/** How long after it was placed an order is completed. */
export const COMPLETION_DELAY_MS = 5_000;

/** How long after its due time the sweep completes an order: EventBridge Scheduler may be 60 seconds late. */
export const SWEEP_GRACE_MS = 60_000;

/** When an order is due, in ms since the epoch. Its ULID begins with the time of its creation. */
export const dueTime = (pk: string): number => decodeTime(pk) + COMPLETION_DELAY_MS;
