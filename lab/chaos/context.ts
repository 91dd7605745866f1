import { createFaults, createSeededRandom } from "./faults.ts";
import { createJournal } from "./history.ts";
import { createInterceptor } from "./interceptor.ts";
import { createPriceBook } from "./inventory.ts";
import type { Options } from "./options.ts";

/** What the parts of a run share. */
export type Context = ReturnType<typeof createContext>;

export function createContext(options: Options) {
  const chance = createSeededRandom(options.seed);
  return {
    options,
    chance,
    faults: createFaults(chance, options.faults),
    journal: createJournal(),
    interceptor: createInterceptor(),
    /** What the inventory said, in a run that has one. */
    prices: options.priced ? createPriceBook() : undefined,
    /** What the functions have counted, by metric. */
    metrics: new Map<string, number>(),
    /** HTTP requests of the clients so far. */
    requests: 0,
  };
}
