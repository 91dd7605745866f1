/** The problems that say: there was no price, so no order was placed. */
const REFUSAL = /code\W+(unknown_product|inventory_failed|inventory_timed_out)\b/;

/** What the inventory said of each order's product, by the order's number. */
export interface PriceBook {
  /** The prices of one piece, in cents, that a function was told. */
  readonly told: Map<number, number[]>;
  /** The orders whose product the inventory has denied. */
  readonly denied: Set<number>;
  /** When the request that stored an order had asked for its price, by the order's pk, in ms since the epoch. */
  readonly askedMs: Map<string, number>;
  /** The requests that got no price and were refused. */
  readonly refusals: Refusal[];
  /** An instance asks for the price of an order. */
  noteQuestion(order: number, instanceId: string): void;
  /** An instance stores the order `pk`, for whose price it asked last. */
  notePlacing(pk: string, instanceId: string): void;
  /** What an instance replies, before it handles another request. */
  noteReply(text: string, instanceId: string): void;
}

export interface Refusal {
  readonly order: number;
  /** When the request asked for the price, in ms since the epoch. */
  readonly askedMs: number;
}

export function createPriceBook(): PriceBook {
  const questions = new Map<string, Refusal>();
  const askedMs = new Map<string, number>();
  const refusals: Refusal[] = [];

  return {
    told: new Map(),
    denied: new Set(),
    askedMs,
    refusals,
    noteQuestion: (order, instanceId) => void questions.set(instanceId, { order, askedMs: Date.now() }),
    notePlacing(pk, instanceId) {
      const question = questions.get(instanceId);
      if (question && !askedMs.has(pk)) askedMs.set(pk, question.askedMs);
    },
    noteReply(text, instanceId) {
      const question = questions.get(instanceId);
      if (question && REFUSAL.test(text)) refusals.push(question);
    },
  };
}

/** The JSON number of so many cents. */
export const inUnits = (cents: number): number => Number(decimal(cents));

/** With exactly two decimals. */
export const decimal = (cents: number): string => `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;
