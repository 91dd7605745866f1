/** What clients must survive. None of it happens by default. */
export interface Faults {
  /** How long each request waits before it runs, in ms. */
  readonly latencyMs?: number | undefined;
  /** The share of requests, from 0 to 1, that get a 500 and do not run. */
  readonly errorRate?: number | undefined;
  /** The share of requests, from 0 to 1, that run, but whose connection ends instead of a reply. */
  readonly lostReplyRate?: number | undefined;
  /** The number of errors and lost replies after which there are no more. Default: no end. */
  readonly times?: number | undefined;
  /**
   * Reads see each key as it was this many ms ago, as a replica may, unless the request has the `upstash-sync-token` of a later
   * reply: https://upstash.com/docs/redis/howto/readyourwrites. A write is seen late if it comes through this gateway and names
   * its keys (a script names them in KEYS). A read sees the past if its keys have a fixed place, so not XREAD and SCAN.
   */
  readonly readLagMs?: number | undefined;
}

/** Draws the fate of each request. */
export function createFates(initial: Faults = {}) {
  let faults = initial;
  let left = initial.times ?? Infinity;

  /** What happens to the next request. */
  function next() {
    const { latencyMs = 0, errorRate = 0, lostReplyRate = 0 } = faults;
    const draw = Math.random();
    const drawn = draw < errorRate ? "error" : draw < errorRate + lostReplyRate ? "lost-reply" : undefined;
    const fault = left > 0 ? drawn : undefined;
    if (fault) left -= 1;
    return { latencyMs, fault };
  }

  return {
    /** Replaces the faults from the next request on. */
    set(others: Faults): void {
      faults = others;
      left = others.times ?? Infinity;
    },
    readLagMs: () => faults.readLagMs ?? 0,
    next,
  };
}
