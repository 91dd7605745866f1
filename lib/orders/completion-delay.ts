import { decodeTime } from "ulid";

/** How long after it was placed an order is completed. */
export const COMPLETION_DELAY_MS = 5_000;

/** When an order is due, in ms since the epoch. Its ULID begins with the time of its creation. */
export const dueTime = (pk: string): number => decodeTime(pk) + COMPLETION_DELAY_MS;
