import { setTimeout as wait } from "node:timers/promises";
import type { Order } from "../../lib/orders/order.ts";
import type { Journal } from "./journal.ts";
import { getOrder } from "./requests.ts";

const READERS = 2;
const PAUSE_MS = 15;

const LEGAL: Readonly<Record<Order["status"], readonly Order["status"][]>> = {
  pending: ["pending", "completed", "refunded"],
  completed: ["completed", "refunded"],
  refunded: ["refunded"],
};

/** Reads every order that a client was told of, again and again, and remembers what may not have happened. */
export interface Reader {
  watch(order: number, pk: string): void;
  /** Ends the reading; what was seen stays. */
  stop(): Promise<void>;
  readonly violations: readonly { readonly order: number; readonly detail: string }[];
}

export function startReader(apiUrl: string, journal: Journal, onRequest: () => void): Reader {
  const watched: { order: number; pk: string }[] = [];
  const seen = new Map<string, Order>();
  const violations: { order: number; detail: string }[] = [];
  let next = 0;
  let stopped = false;

  function complain(order: number, pk: string, detail: string): void {
    violations.push({ order, detail });
    journal.note(order, `GET ${pk}: ${detail}`);
  }

  async function look({ order, pk }: { order: number; pk: string }): Promise<void> {
    // Another reader may read the same order meanwhile, and be answered first: only what was seen before counts.
    const before = seen.get(pk);
    onRequest();
    const { status, text, placed, undocumented } = await getOrder(apiUrl, pk);
    if (undocumented) complain(order, pk, undocumented);
    if (status === 0 || status >= 500) return;
    const flaw = placed ? illegal(before, placed) : `a client was told of it, but GET says ${status} ${text}`;
    if (flaw) complain(order, pk, flaw);
    if (!placed) return;
    const latest = seen.get(pk);
    if (before?.status !== placed.status) journal.note(order, `GET ${pk} → ${placed.status}`);
    if (!latest || LEGAL[latest.status].includes(placed.status)) seen.set(pk, placed);
  }

  async function read(): Promise<void> {
    while (!stopped) {
      const one = watched[next++ % Math.max(1, watched.length)];
      if (one) await look(one);
      await wait(PAUSE_MS);
    }
  }

  const reading = Array.from({ length: READERS }, read);
  return {
    watch: (order, pk) => void watched.push({ order, pk }),
    async stop() {
      stopped = true;
      await Promise.all(reading);
    },
    violations,
  };
}

function illegal(before: Order | undefined, now: Order): string | undefined {
  if (!before) return undefined;
  if (!LEGAL[before.status].includes(now.status)) return `it went from ${before.status} to ${now.status}`;
  const amounts = ["price", "fee", "total"] as const;
  const fixed = ["pk", "product_id", "quantity", ...amounts, "created_at", "completed_at", "refunded_at"] as const;
  const changed = fixed.find((field) => before[field] !== undefined && before[field] !== now[field]);
  return changed && `its ${changed} went from ${before[changed]} to ${now[changed]}`;
}
