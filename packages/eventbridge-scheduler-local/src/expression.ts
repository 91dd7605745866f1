import { validationError } from "./errors.ts";

const AT = /^at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)$/;
const RECURRING = /^(rate|cron)\(.+\)$/;
const UTC_NAMES = new Set(["UTC", "Etc/UTC"]);

/**
 * When a one-time schedule is due, in ms since 1970, of `at(yyyy-mm-ddThh:mm:ss)`.
 *
 * UTC only: another time zone would need the rules for hours that occur twice or never, and the service names UTC.
 *
 * @throws SchedulerError a ValidationException when it is no such expression, no day of the calendar, `rate()` or
 *   `cron()`, or in another time zone.
 */
export function parseExpression(expression: string, timezone: string): number {
  if (!UTC_NAMES.has(timezone)) {
    throw validationError(
      `Invalid Schedule Expression Timezone ${timezone}. This local stand-in evaluates expressions in UTC only.`,
    );
  }
  if (RECURRING.test(expression)) {
    throw validationError(
      `Invalid Schedule Expression ${expression}. This local stand-in fires one-time schedules only: at(yyyy-mm-ddThh:mm:ss).`,
    );
  }
  const text = AT.exec(expression)?.[1];
  const dueMs = Date.parse(`${text}Z`);
  // Date.parse takes February 30 for March 2: only what reads back the same is a day of the calendar.
  if (Number.isNaN(dueMs) || formatSecond(dueMs) !== `${text}Z`) {
    throw validationError(`Invalid Schedule Expression ${expression}.`);
  }
  return dueMs;
}

/** @throws SchedulerError a ValidationException when `dueMs` has passed: AWS refuses a time in the past. */
export function refusePast(expression: string, dueMs: number): void {
  if (dueMs >= Date.now()) return;
  throw validationError(`Invalid Schedule Expression ${expression}. The time is in the past.`);
}

/** `2026-11-23T06:13:05Z`. */
export function formatSecond(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
}
