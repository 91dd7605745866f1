import { SchedulerError } from "./errors.ts";

/** What clients must survive. None of it happens by default. Rates are shares of the requests, from 0 to 1. */
export interface Faults {
  /** Requests that get a ThrottlingException. */
  readonly throttleRate?: number | undefined;
  /** Requests that create something and get a ServiceQuotaExceededException. */
  readonly quotaRate?: number | undefined;
  /** Requests that get an InternalServerException. */
  readonly errorRate?: number | undefined;
  /** The number of faults after which there are no more. Default: no end. */
  readonly times?: number | undefined;
}

/** Draws the fault of each request. */
export function createFates(initial: Faults = {}) {
  let faults = initial;
  let left = initial.times ?? Infinity;

  function draw(creates: boolean): SchedulerError | undefined {
    const { throttleRate = 0, quotaRate = 0, errorRate = 0 } = faults;
    if (Math.random() < throttleRate) return new SchedulerError(429, "ThrottlingException", "Rate exceeded");
    if (creates && Math.random() < quotaRate) {
      return new SchedulerError(402, "ServiceQuotaExceededException", "The quota of schedules is exceeded.");
    }
    if (Math.random() < errorRate)
      return new SchedulerError(500, "InternalServerException", "This error was injected.");
    return undefined;
  }

  return {
    /** Replaces the faults from the next request on. */
    set(others: Faults): void {
      faults = others;
      left = others.times ?? Infinity;
    },
    /** @throws SchedulerError if the next request has a fault */
    next(creates: boolean): void {
      const fault = left > 0 ? draw(creates) : undefined;
      if (!fault) return;
      left -= 1;
      throw fault;
    },
  };
}
