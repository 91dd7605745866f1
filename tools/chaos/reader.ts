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

  function complain(order: number, pk: string, detail: string): void {
    violations.push({ order, detail });
    journal.note(order, `GET ${pk}: ${detail}`);
  }

  async function follow(order: number, pk: string): Promise<void> {
    let seen: Order | undefined;
    for (let read = 1; read <= READS; read += 1) {
      context.requests += 1;
      const { status, text, placed, undocumented } = await getOrder(apiUrl, pk);
      if (undocumented) complain(order, pk, undocumented);
      if (placed) {
        const flaw = seen && illegal(seen, placed);
        if (flaw) complain(order, pk, flaw);
        if (seen?.status !== placed.status) journal.note(order, `GET ${pk} → ${placed.status}`);
        seen = placed;
      } else if (status > 0 && status < 500) {
        complain(order, pk, `a client was told of it, but GET says ${status} ${text}`);
      }
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
