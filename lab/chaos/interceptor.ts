import { PENDING_KEY } from "../../lib/redis/keys.ts";
import type { INSTANCE_FAULTS } from "./call-faults.ts";
import type { Call } from "./proxy.ts";

/** A key is claimed, and its order is stored: the price is known. */
const STORES_CLAIMED = /"orders:pending","idempotency:/;

/** When no function makes the awaited call within this time, in ms, the accident happens without one. */
const PATIENCE_MS = 60_000;

/** What becomes of the function's call; undefined: it goes on. */
export type Fate = keyof typeof INSTANCE_FAULTS | "reset_before" | undefined;

/** What happens to the first such call that is wanted. */
interface Trap {
  readonly isWanted: (call: Call) => boolean;
  readonly happen: (call: Call | undefined) => Promise<Fate>;
}

/** A call that is waited for: a poller settles its batch, or createOrder stores an order whose key it has claimed. */
type Moment = "settling" | "storing";

/** Makes accidents happen at the worst time, such as when a poller has a batch in hand and is about to settle it. */
export function createInterceptor() {
  const waiting = { settling: new Set<Trap>(), storing: new Set<Trap>() };
  const underWay = new Map<string, Promise<Fate>>();

  return {
    /**
     * Resolves once `work` has been done, before the next such call of a living function goes on.
     * @returns whether there was one
     */
    before(
      moment: Moment,
      work: (call: Call | undefined) => Promise<unknown>,
      fate: Fate,
      isWanted: (call: Call) => boolean = () => true,
    ): Promise<boolean> {
      const { promise, resolve, reject } = Promise.withResolvers<boolean>();
      const patience = setTimeout(() => void happen(undefined), PATIENCE_MS);
      const trap: Trap = { isWanted, happen };
      async function happen(call: Call | undefined): Promise<Fate> {
        clearTimeout(patience);
        waiting[moment].delete(trap);
        await work(call).then(() => resolve(call !== undefined), reject);
        return fate;
      }
      waiting[moment].add(trap);
      return promise;
    },
    /** Does what waits for this call, and returns what becomes of it. */
    async intercept(functionName: string, call: Call): Promise<Fate> {
      const { body } = call;
      // The function may give up and send it again meanwhile.
      if (underWay.has(body)) await underWay.get(body);
      const moment = momentOf(functionName, body);
      const next = moment && [...waiting[moment]].find(({ isWanted }) => isWanted(call));
      if (!next) return undefined;
      const happening = next.happen(call);
      underWay.set(body, happening);
      return happening.finally(() => underWay.delete(body));
    },
  };
}

function momentOf(functionName: string, body: string): Moment | undefined {
  // Of the poller's calls only the one that settles names the outbox.
  if (functionName === "drainRefunds" && body.includes(PENDING_KEY)) return "settling";
  return functionName === "createOrder" && STORES_CLAIMED.test(body) ? "storing" : undefined;
}
