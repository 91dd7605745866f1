/** How far this process's clock is ahead of the machine's, in ms; negative when it is behind. */
const SKEW_MS = Number(process.env.LAMBDA_CLOCK_SKEW_MS ?? 0);

/**
 * Sets the clock of this process wrong: imported before anything that reads the time. Timers and `performance.now` go on
 * as they were, as with a machine whose clock is wrong but steady.
 */
class SkewedDate extends Date {
  constructor(...given: unknown[]) {
    super(...((given.length === 0 ? [Date.now() + SKEW_MS] : given) as [number]));
  }
}

if (SKEW_MS !== 0) {
  const machineNow = Date.now;
  globalThis.Date = Object.assign(SkewedDate as DateConstructor, { now: () => machineNow() + SKEW_MS });
}
