import { validationError } from "./errors.ts";

const AT = /^at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)$/;
const RECURRING = /^(rate|cron)\(.+\)$/;
const DAY_MS = 86_400_000;

/**
 * When a one-time schedule is due, in ms since 1970.
 *
 * In an hour that occurs twice, when clocks are set back, the first occurrence counts: AWS runs a schedule once then
 * (EventBridge Scheduler User Guide, "Schedule types", daylight saving time). AWS does not document an `at()` in a skipped hour;
 * here it is an error.
 * @param expression `at(yyyy-mm-ddThh:mm:ss)`
 * @param timezone of the IANA database
 * @throws SchedulerError a ValidationException for any other expression, no such day or hour, or no such time zone
 */
export function parseExpression(expression: string, timezone: string): number {
  if (RECURRING.test(expression)) {
    throw validationError(
      `Invalid Schedule Expression ${expression}. This local Scheduler has one-time schedules only: at(yyyy-mm-ddThh:mm:ss).`,
    );
  }
  const local = AT.exec(expression)?.[1] ?? "";
  const localMs = Date.parse(`${local}Z`);
  // Date.parse reads February 30 as March 2, so a date is valid only if it is the same when formatted again.
  if (Number.isNaN(localMs) || localSecond(localMs, "UTC") !== local) {
    throw validationError(`Invalid Schedule Expression ${expression}.`);
  }
  const dueMs = candidates(localMs, timezone).find((ms) => localSecond(ms, timezone) === local);
  if (dueMs === undefined) {
    throw validationError(`Invalid Schedule Expression ${expression}. The time does not exist in ${timezone}.`);
  }
  return dueMs;
}

/** `2026-11-23T06:13:05Z`. */
export function formatSecond(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** The possible moments of a local time, by the zone's offsets on the day before and the day after; the earliest first. */
function candidates(localMs: number, timezone: string): number[] {
  const offsets = [localMs - DAY_MS, localMs + DAY_MS].map((ms) => Date.parse(`${localSecond(ms, timezone)}Z`) - ms);
  return offsets.map((offset) => localMs - offset).toSorted((a, b) => a - b);
}

/** What the clocks of a time zone show: `2026-11-23T06:13:05`. */
function localSecond(ms: number, timezone: string): string {
  try {
    // Sweden writes dates as ISO 8601 does.
    return new Intl.DateTimeFormat("sv-SE", { timeZone: timezone, dateStyle: "short", timeStyle: "medium" })
      .format(ms)
      .replace(" ", "T");
  } catch {
    throw validationError(`Invalid Schedule Expression Timezone ${timezone}.`);
  }
}
