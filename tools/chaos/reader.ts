import { setTimeout as wait } from "node:timers/promises";
import type { Order } from "../../lib/orders/order.ts";
import { getOrder } from "./clients.ts";
import type { Context } from "./run.ts";

/** So many orders are read, each so often over its life: an illegal move is seen between two reads only. */
const SAMPLE = 200;
const READS = 25;
const PAUSE_MS = 300;

const LEGAL: Readonly<Record<Order["status"], readonly Order["status"][]>> = {
  pending: ["pending", "completed", "refunded"],
  completed: ["completed", "refunded"],
  refunded: ["refunded"],
};

/** What a field holds stays, once it is there. */
const FIXED = [
  ...["pk", "product_id", "quantity", "price", "fee", "total"],
  ...["created_at", "completed_at", "refunded_at"],
] as const satisfies readonly (keyof Order)[];

/** Reads a sample of the orders again and again, and remembers what may not have happened. */
export function startReader(context: Context, apiUrl: string) {
  const { options, chance, journal } = context;
  const violations: { order: number; detail: string }[] = [];
  const reading: Promise<void>[] = [];
  let reads = 0;
  let stopped = false;

  async function follow(order: number, pk: string): Promise<void> {
    let seen: Order | undefined;
    for (let read = 1; read <= READS; read += 1) {
      context.requests += 1;
      const { status, text, placed, undocumented } = await getOrder(apiUrl, pk);
      const unknown = !placed && status > 0 && status < 500;
      const flaws = [
        undocumented,
        seen && placed && illegal(seen, placed),
        unknown ? `a client was told of it, but GET says ${status} ${text}` : undefined,
      ].filter((flaw) => flaw !== undefined);
      for (const detail of flaws) {
        violations.push({ order, detail });
        journal.note(order, `GET ${pk}: ${detail}`);
      }
      if (placed && seen?.status !== placed.status) journal.note(order, `GET ${pk} → ${placed.status}`);
      seen = placed ?? seen;
      reads += 1;
      if (!stopped) await wait(PAUSE_MS);
    }
  }

  return {
    watch(order: number, pk: string): void {
      if (chance.at(`sample of order ${order}`) < SAMPLE / options.orders) reading.push(follow(order, pk));
    },
    /** Resolves when each order of the sample has been read as often as it should. */
    async stop(): Promise<void> {
      stopped = true;
      await Promise.all(reading);
    },
    violations,
    /** How many orders were read, and how often in all. */
    get figures() {
      return { orders: reading.length, reads };
    },
  };
}

function illegal(before: Order, now: Order): string | undefined {
  if (!LEGAL[before.status].includes(now.status)) return `it went from ${before.status} to ${now.status}`;
  const changed = FIXED.find((field) => before[field] !== undefined && before[field] !== now[field]);
  return changed && `its ${changed} went from ${before[changed]} to ${now[changed]}`;
}
