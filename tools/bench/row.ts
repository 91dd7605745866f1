import { z } from "zod";

const Unit = z.enum(["ms", "/s", "KB", "MB", "calls"]);

const Target = z.strictObject({
  /** What is held against the bound: subject / floor, subject - floor, or the subject itself. */
  of: z.enum(["ratio", "difference", "subject"]),
  bound: z.enum(["at most", "at least", "exactly"]),
  value: z.number(),
});
export type Target = z.infer<typeof Target>;

/** One line of the bench: what was measured, what the same takes at the least, and whether that is near enough. */
export const Row = z.strictObject({
  group: z.string(),
  measure: z.string(),
  /** The function or request that is measured. */
  name: z.string(),
  /** Which percentile, where it is one. */
  percent: z.number().optional(),
  /** With how many clients, or orders stored. */
  at: z.number().optional(),
  unit: Unit,
  subject: z.number(),
  floor: z.number().optional(),
  ratio: z.number().optional(),
  difference: z.number().optional(),
  target: Target.optional(),
  /** Left out where there is no target. */
  met: z.boolean().optional(),
});
export type Row = z.infer<typeof Row>;

type Measured = Omit<Row, "ratio" | "difference" | "met">;

/** Completes a row: the ratio where there is a floor, the difference where the target is one. */
export function row(measured: Measured): Row {
  const { floor, target } = measured;
  const subject = rounded(measured.subject);
  const whole: Row = {
    ...measured,
    subject,
    ...(floor !== undefined && { floor: rounded(floor) }),
    ...(floor && target?.of !== "difference" && { ratio: rounded(measured.subject / floor) }),
    ...(floor !== undefined && target?.of === "difference" && { difference: rounded(measured.subject - floor) }),
  };
  return target ? { ...whole, met: isWithin(whole, 1) } : whole;
}

/**
 * Whether a row reaches its target; one without a target always does.
 * @param slack 2 allows twice as much, or half as much where more is better; an exact target has none
 */
export function isWithin(candidate: Row, slack: number): boolean {
  const { target } = candidate;
  if (!target) return true;
  const value = candidate[target.of] ?? Number.NaN;
  if (target.bound === "exactly") return value === target.value;
  return target.bound === "at most" ? value <= target.value * slack : value >= target.value / slack;
}

/** To 4 figures: the rest is noise. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
