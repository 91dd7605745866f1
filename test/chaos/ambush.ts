import { setTimeout as wait } from "node:timers/promises";
import { DEAD_REFUND_STREAM } from "../../lib/redis/keys.ts";
import type { INSTANCE_FAULTS } from "./call-faults.ts";

/** When no poller settles anything for so long, in ms, it happens without one. */
const PATIENCE_MS = 20_000;

/** What becomes of the poller itself; undefined: it goes on. */
export type PollerFate = keyof typeof INSTANCE_FAULTS | undefined;

/** What befalls a poller at the worst time: when it has a batch in hand and is about to settle it. */
export interface Ambush {
  /** Resolves once it has happened, before the next settling that a living poller sends. */
  lay(work: () => Promise<PollerFate>): Promise<void>;
  /** Runs what waits for this call of the poller. */
  spring(body: string): Promise<PollerFate>;
}

export function createAmbush(): Ambush {
  const waiting = new Set<() => Promise<PollerFate>>();

  return {
    async lay(work) {
      const happened = Promise.withResolvers<void>();
      async function happen(): Promise<PollerFate> {
        if (!waiting.delete(happen)) return undefined;
        const fate = work();
        fate.then(() => happened.resolve(), happened.reject);
        return fate;
      }
      waiting.add(happen);
      const over = new AbortController();
      const patience = wait(PATIENCE_MS, undefined, { signal: over.signal }).then(happen, () => undefined);
      await happened.promise;
      over.abort();
      await patience;
    },
    async spring(body) {
      // Of the poller's calls only the one that settles names the dead letters.
      if (!body.includes(DEAD_REFUND_STREAM)) return undefined;
      const [next] = waiting;
      return next?.();
    },
  };
}
