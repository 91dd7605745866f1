import { Cron } from "croner";
import { validationError } from "./errors.ts";

const AT = /^at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)$/;
const RATE = /^rate\((?<count>[1-9]\d*) (?<unit>minute|hour|day)s?\)$/;
const CRON = /^cron\((.+)\)$/;
const DAY_MS = 86_400_000;

const UNIT_MS: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: DAY_MS };

/** The last value of each field, for a step such as `5/10`. Days of the week are those of `Cron`, in which 0 is Sunday. */
const CRON_MAXIMUMS = [59, 23, 31, 12, 6, 2199];

/** When a schedule is due. Times are in ms since 1970. */
export interface Expression {
  readonly oneTime: boolean;
  /** The first time at or after `fromMs`, or undefined. A rate counts from `anchorMs`. */
  next(fromMs: number, anchorMs: number): number | undefined;
}

/**
 * Reads `at(…)`, `rate(…)` and `cron(…)`: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html.
 *
 * In an hour that occurs twice, when clocks are set back, the first occurrence counts: AWS runs a schedule once then (the same
 * page, daylight saving time). AWS does not document an `at()` in a skipped hour; here it is an error.
 * @param timezone of the IANA database
 * @throws SchedulerError a ValidationException for any other expression, no such day or hour, or no such time zone
 */
export function parseExpression(expression: string, timezone: string): Expression {
  const { count, unit = "" } = RATE.exec(expression)?.groups ?? {};
  const fields = CRON.exec(expression)?.[1];
  if (count !== undefined || fields !== undefined) localSecond(0, timezone); // so that a wrong time zone is the error
  if (count !== undefined) return everyMs(Number(count) * (UNIT_MS[unit] ?? 0));
  if (fields !== undefined) return parseCron(expression, fields, timezone);
  const dueMs = parseTime(expression, timezone);
  return { oneTime: true, next: (fromMs) => (dueMs >= fromMs ? dueMs : undefined) };
}

/** `2026-11-23T06:13:05Z`. */
export function formatSecond(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
}

function everyMs(periodMs: number): Expression {
  return {
    oneTime: false,
    next: (fromMs, anchorMs) => anchorMs + Math.max(0, Math.ceil((fromMs - anchorMs) / periodMs)) * periodMs,
  };
}

/** AWS has six fields, of which a day field must be `?`, and counts days of the week from 1, Sunday. `Cron` has seconds first. */
function parseCron(expression: string, text: string, timezone: string): Expression {
  const fields = text.split(" ");
  if (fields.length !== 6 || (fields[2] === "?") === (fields[4] === "?")) throw invalid(expression);
  const pattern = ["0", ...fields.map(convertField)].join(" ");
  try {
    const cron = new Cron(pattern, { timezone, paused: true });
    return {
      oneTime: false,
      // It returns a time after the given second.
      next: (fromMs) => cron.nextRun(new Date(Math.ceil(fromMs / 1000) * 1000 - 1000))?.getTime(),
    };
  } catch {
    throw invalid(expression);
  }
}

function convertField(field: string, index: number): string {
  const parts = field.split(",").map((part) => (index === 4 ? convertDayOfWeek(part) : part));
  return parts.map((part) => part.replace(/^(\w+)\/(\d+)$/, `$1-${CRON_MAXIMUMS[index]}/$2`)).join(",");
}

/** `2-6`, `6#1` (the first Friday), `6L` (the last Friday), `L` (Saturday); a step after `/` and an index after `#` stay. */
function convertDayOfWeek(part: string): string {
  if (part === "L") return "6";
  return part.replace(/(?<![/#\w])[1-7](?!\d)/g, (day) => String(Number(day) - 1));
}

function parseTime(expression: string, timezone: string): number {
  const local = AT.exec(expression)?.[1] ?? "";
  const localMs = Date.parse(`${local}Z`);
  // Date.parse reads February 30 as March 2, so a date is valid only if it is the same when formatted again.
  if (Number.isNaN(localMs) || localSecond(localMs, "UTC") !== local) throw invalid(expression);
  const dueMs = candidates(localMs, timezone).find((ms) => localSecond(ms, timezone) === local);
  if (dueMs === undefined) {
    throw validationError(`Invalid Schedule Expression ${expression}. The time does not exist in ${timezone}.`);
  }
  return dueMs;
}

function invalid(expression: string): Error {
  return validationError(`Invalid Schedule Expression ${expression}.`);
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
