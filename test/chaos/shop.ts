import { setTimeout as wait } from "node:timers/promises";
import type { Order } from "../../lib/orders/order.ts";
import type { Chance } from "./chance.ts";
import type { Faults } from "./faults.ts";
import { type Journal, productOf } from "./journal.ts";
import type { PriceBook } from "./price-book.ts";
import { type Answer, postOrder } from "./requests.ts";

/** How a client places its order. */
const BEHAVIOURS = { once: 2, retry: 5, gives_up: 1, five_at_once: 1, two_bodies: 1 };

/** Requests with one key at the same time matter most where they wait for a price. */
const PRICED_BEHAVIOURS = { ...BEHAVIOURS, five_at_once: 3 };

const MOST_ATTEMPTS = 15;

/** A client comes again so many times sooner than it is told, while its key is in use. */
const HASTE = 10;

/** Longer than a key may be in use: the longest request, and what is left of its claim when it dies. */
const LONGEST_USE_MS = 45_000;

/** What one client asked for, and everything that it was told. */
export interface Placement {
  readonly order: number;
  readonly behaviour: keyof typeof BEHAVIOURS;
  readonly key: string | undefined;
  /** The orders of every 200. */
  readonly told: Order[];
  /** What no client may be told, whatever fails. */
  readonly nonsense: string[];
}

export interface ShopOptions {
  readonly apiUrl: string;
  readonly chance: Chance;
  readonly faults: Faults;
  readonly journal: Journal;
  readonly prices: PriceBook | undefined;
  /** Called at the first 200 of each order. */
  readonly onPlaced: (order: number, pk: string) => void;
  readonly onRequest: () => void;
}

/** The clients: each places one order in its own way, and may lose a reply. */
export function createShop({ apiUrl, chance, faults, journal, prices, onPlaced, onRequest }: ShopOptions) {
  async function send(placement: Placement, quantity: number): Promise<Answer> {
    const { order, key } = placement;
    const body = { id: productOf(order), quantity };
    onRequest();
    journal.note(order, `POST ${JSON.stringify(body)} key ${key ?? "none"}`);
    const answer = await postOrder(apiUrl, body, key);
    if (answer.undocumented) placement.nonsense.push(answer.undocumented);
    if (faults.strike("client", `reply to order ${order}`, { reply_lost: 1 }, 0.5)) {
      journal.note(order, `client.reply_lost: ${answer.text}`);
      return { status: 0, text: "lost" };
    }
    journal.note(order, `  → ${answer.status} ${answer.text}`);
    hear(placement, answer, quantity);
    return answer;
  }

  function hear(
    { order, key, told, nonsense, behaviour }: Placement,
    { status, text, placed }: Answer,
    quantity: number,
  ): void {
    const mayBeReused = behaviour === "two_bodies" && status === 422;
    const mayBeDenied = isDenied(text) && prices?.denied.has(order);
    const mayBeInUse = status === 409 && key !== undefined && prices !== undefined;
    if (status === 0 || status >= 500 || mayBeReused || mayBeDenied || mayBeInUse) return;
    if (status !== 200 || !placed) nonsense.push(`${status} ${text}`);
    else if (placed.product_id !== productOf(order) || placed.quantity !== quantity) {
      nonsense.push(`another order: ${text}`);
    } else if (told.push(placed) === 1) onPlaced(order, placed.pk);
  }

  async function untilAnswered(placement: Placement, quantity: number): Promise<void> {
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {
      const { status, text } = await untilKeyIsFree(placement, quantity);
      if (status !== 0 && status < 500 && !isDenied(text)) return;
      await wait(chance.between(`pause ${attempt} of order ${placement.order}`, 50, 400));
    }
  }

  async function untilKeyIsFree(placement: Placement, quantity: number): Promise<Answer> {
    const beganMs = performance.now();
    for (;;) {
      const answer = await send(placement, quantity);
      if (answer.status !== 409) return answer;
      if (performance.now() - beganMs > LONGEST_USE_MS) {
        placement.nonsense.push(`its key was in use for more than ${LONGEST_USE_MS} ms`);
        return answer;
      }
      await wait((answer.retryAfterMs ?? 0) / HASTE);
    }
  }

  return async function place(order: number): Promise<Placement> {
    const behaviour = chance.pick(`behaviour of order ${order}`, prices ? PRICED_BEHAVIOURS : BEHAVIOURS);
    const quantity = chance.between(`quantity of order ${order}`, 1, 1_000);
    const key = behaviour === "once" ? undefined : `chaos-key-of-order-${order}`;
    const placement: Placement = { order, behaviour, key, told: [], nonsense: [] };
    const ways: Record<keyof typeof BEHAVIOURS, () => Promise<unknown>> = {
      once: () => send(placement, quantity),
      gives_up: () => send(placement, quantity),
      retry: () => untilAnswered(placement, quantity),
      five_at_once: () => Promise.all([1, 2, 3, 4, 5].map(() => untilAnswered(placement, quantity))),
      two_bodies: () => Promise.all([quantity, quantity + 1].map((wanted) => untilAnswered(placement, wanted))),
    };
    if (behaviour === "five_at_once" || behaviour === "two_bodies") faults.count(`client.${behaviour}`);
    await ways[behaviour]();
    return placement;
  };
}

/** The inventory denied the product; here it will know it the next time. */
const isDenied = (text: string): boolean => text.includes('"code":"unknown_product"');
