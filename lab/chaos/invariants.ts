import { isDeepStrictEqual } from "node:util";
import { type Completion, dueTime } from "../../lib/orders/completion-delay.ts";
import { type Placement, retries } from "./clients.ts";
import type { Facts, Hash } from "./database.ts";
import { numberIn, productOf } from "./history.ts";
import type { PriceBook } from "./inventory.ts";
import { type RefundRequest, refOf } from "./refunds.ts";

const SAME = ["product_id", "quantity", "created_at"] as const;

const AMOUNTS = ["price", "fee", "total"] as const;

/** The times that an order of each state has, besides that of its creation. */
const TIMES: Readonly<Record<string, readonly string[]>> = {
  completed: ["completed_at"],
  refunded: ["refunded_at", "completed_at,refunded_at"],
};

/** What a dead letter has before the request's own fields. */
const PREFIX = ["dead_reason", "dead_id", "dead_at"];

const MAX_DEAD_LETTER_BYTES = 4_096;

interface Flaw {
  readonly kind: "lost" | "duplicated" | "wrong_state" | "stuck";
  readonly detail: string;
  /** The order's number, when it is about one. */
  readonly order?: number | undefined;
  /** The refund request, when it is about one. */
  readonly ref?: string;
}

type Flaws = Generator<Flaw, void>;

/** A promise that the service did not keep: which invariant, from 1 to 11, as docs/reliability.md numbers them. */
export type Violation = Flaw & { readonly invariant: number };

/** What a run leaves behind to judge it by. */
export interface Evidence {
  readonly facts: Facts;
  readonly placements: readonly Placement[];
  readonly requests: ReadonlyMap<string, RefundRequest>;
  /** The inventory's answers, in a run that has one. */
  readonly prices?: Pick<PriceBook, "quoted" | "askedMs" | "refusals"> | undefined;
  /** What the functions counted, by metric. */
  readonly metrics: ReadonlyMap<string, number>;
  /** What a reader saw that may not happen. */
  readonly seen: readonly { readonly order: number; readonly detail: string }[];
  readonly completion: Completion;
}

const INVARIANTS = [
  placedOnce,
  ended,
  announcedOnce,
  refundedOnce,
  nothingLeft,
  legalMoves,
  pricedOnce,
  refusedHonestly,
  retriesSucceed,
  countedOnce,
  neverEarly,
];

/** Checks a run against every invariant, in their order. */
export function judge(evidence: Evidence): Violation[] {
  return INVARIANTS.flatMap((flawsOf, index) =>
    [...flawsOf(evidence)].map((flaw) => ({ invariant: index + 1, ...flaw })),
  );
}

/** The number of the order that is stored under `pk`. */
export function numberOf({ orders }: Facts, pk: string): number | undefined {
  return numberIn(orders.get(pk)?.product_id ?? "");
}

/**
 * 1. Every 200 is an order that exists, even if its reply was lost on its way to the client. One key, or one request, never
 * makes two orders.
 */
function* placedOnce({ facts, placements }: Evidence): Flaws {
  const stored = Map.groupBy(facts.orders, ([, { product_id }]) => product_id);
  for (const { order, replies, lostReplies, wrongReplies } of placements) {
    const all = [...replies, ...lostReplies];
    const pks = (stored.get(productOf(order)) ?? []).map(([pk]) => pk);
    const named = new Set(all.map(({ pk }) => pk));
    if (pks.length > 1) yield { kind: "duplicated", order, detail: `it was stored ${pks.length} times: ${pks}` };
    if (named.size > 1) yield { kind: "duplicated", order, detail: `its replies name ${[...named]}` };
    for (const reply of all) {
      const hash = facts.orders.get(reply.pk);
      const changed = SAME.find((field) => hash?.[field] !== String(reply[field]));
      if (!hash) yield { kind: "lost", order, detail: `${reply.pk} is not there` };
      else if (changed) yield { kind: "wrong_state", order, detail: `its ${changed} differs` };
    }
    for (const detail of wrongReplies) yield { kind: "wrong_state", order, detail };
  }
}

/** 2. Every order ends completed or refunded: none stays pending once faults stop and one sweep has run. */
function* ended({ facts }: Evidence): Flaws {
  for (const { pk, hash, order } of storedOrders(facts)) {
    const { status = "" } = hash;
    const times = ["completed_at", "refunded_at"].filter((field) => hash[field] !== undefined).join();
    if (status === "pending") yield { kind: "stuck", order, detail: `${pk} is still pending` };
    else if (!TIMES[status]?.includes(times)) {
      yield { kind: "wrong_state", order, detail: `${pk} is ${status} with ${times || "no times"}` };
    }
  }
}

/**
 * 3. Exactly one `order_completed` entry for each order that was ever completed, none for one that was not; its fields
 * equal the order's.
 */
function* announcedOnce({ facts }: Evidence): Flaws {
  const entries = Map.groupBy(facts.announcements, ({ pk = "" }) => pk);
  for (const { pk, hash, order } of storedOrders(facts)) {
    const { refunded_at: _, ...stored } = hash;
    const own = entries.get(pk) ?? [];
    if (stored.completed_at === undefined) {
      if (own.length > 0) yield { kind: "wrong_state", order, detail: `${pk} was announced and never completed` };
      continue;
    }
    if (own.length === 0) yield { kind: "lost", order, detail: `the completion of ${pk} was never announced` };
    if (own.length > 1) yield { kind: "duplicated", order, detail: `${pk} was announced ${own.length} times` };
    const differing = own.find((fields) => !isDeepStrictEqual(fields, { ...stored, pk, status: "completed" }));
    if (differing) yield { kind: "wrong_state", order, detail: `${pk} was announced as ${JSON.stringify(differing)}` };
  }
  for (const pk of entries.keys()) {
    if (!facts.orders.has(pk)) yield { kind: "wrong_state", detail: `${pk} was announced and is not there` };
  }
}

/**
 * 4. Every valid refund request moved its order exactly once, also while invalid ones could not be kept; every invalid one is in `refund_order:dead` exactly once,
 * with its reason and its fields, or what 4 KB hold of them. That nothing is refunded twice shows in its `refunded_at`, which
 * invariant 6 holds fast.
 */
function* refundedOnce({ facts, requests }: Evidence): Flaws {
  const letters = Map.groupBy(facts.deadLetters, refOf);
  const asked = new Set<string>();
  for (const request of requests.values()) {
    const { ref, expected, mayBeLost } = request;
    const own = letters.get(ref) ?? [];
    if ("pk" in expected) {
      const { pk, order } = expected;
      asked.add(pk);
      const refunded = facts.orders.get(pk)?.status === "refunded";
      if (!refunded && !mayBeLost) yield { kind: "lost", order, ref, detail: `${pk} was not refunded` };
      if (own.length > 0) yield { kind: "wrong_state", order, ref, detail: "a valid request is a dead letter" };
      if (request.heldUp)
        yield { kind: "stuck", order, ref, detail: `${pk} waited for dead letters that were not kept` };
      continue;
    }
    const { reason } = expected;
    const [letter] = own;
    if (!letter) {
      if (!mayBeLost) yield { kind: "lost", ref, detail: `no dead letter, though ${reason}` };
    } else if (own.length > 1) yield { kind: "duplicated", ref, detail: `${own.length} dead letters` };
    else if (String(letter[1]) !== reason) {
      yield { kind: "wrong_state", ref, detail: `dead for ${letter[1]}, not ${reason}` };
    } else if (!isKept(request, letter)) yield { kind: "wrong_state", ref, detail: "it was not kept as it is" };
  }
  for (const { pk, hash, order } of storedOrders(facts)) {
    if (hash.status === "refunded" && !asked.has(pk)) {
      yield { kind: "wrong_state", order, detail: `nobody asked to refund ${pk}` };
    }
  }
  for (const ref of letters.keys()) {
    if (!requests.has(ref)) yield { kind: "wrong_state", detail: `a dead letter of ${ref}` };
  }
}

/** A dead letter keeps the whole request. Of one above 4 KB it keeps the size, the beginning of the pk, and the other fields. */
function isKept({ fields }: RefundRequest, letter: readonly Buffer[]): boolean {
  const kept = letter.slice(2 * PREFIX.length);
  const own = fields.map((field) => Buffer.from(field));
  const bytes = own.reduce((sum, value) => sum + value.length + 1, 0);
  const [mark, size, , pk = Buffer.alloc(0), ...others] = kept;
  const truncated =
    bytes > MAX_DEAD_LETTER_BYTES &&
    String(mark) === "dead_truncated" &&
    String(size) === String(bytes) &&
    own[1]?.subarray(0, pk.length).equals(pk) === true &&
    isDeepStrictEqual(others, own.slice(2));
  const named = PREFIX.every((name, index) => String(letter[2 * index]) === name);
  return named && (truncated || isDeepStrictEqual(kept, own));
}

/** 5. No entry is left pending in the group, none in the stream, and `orders:pending` is empty. */
function* nothingLeft({ facts }: Evidence): Flaws {
  const { pendingEntriesLeft, requestsLeft, pendingPks } = facts;
  for (let left = 1; left <= Math.max(requestsLeft, pendingEntriesLeft); left += 1) {
    const where = left <= pendingEntriesLeft ? "pending in the group" : "on the stream";
    yield { kind: "stuck", detail: `a refund request is still ${where}` };
  }
  for (const pk of pendingPks) {
    yield { kind: "stuck", order: numberOf(facts, pk), detail: `${pk} is still in orders:pending` };
  }
}

/** 6. A reader that polled through the whole run saw no illegal change of an order's state. */
function* legalMoves({ seen }: Evidence): Flaws {
  for (const { order, detail } of seen) yield { kind: "wrong_state", order, detail };
}

/**
 * 7. An order's amounts come from exactly one answer of the inventory, in Redis and in every reply, so that no key has two
 * prices. Without an inventory no order has a price.
 */
function* pricedOnce({ facts, placements, prices }: Evidence): Flaws {
  for (const { pk, hash, order } of storedOrders(facts)) {
    const costs = AMOUNTS.map((name) => hash[name] ?? "none").join();
    const quoted = prices?.quoted.get(order ?? 0) ?? [];
    const right = prices ? quoted.map((cents) => amounts(cents, Number(hash.quantity))) : ["none,none,none"];
    if (right.includes(costs)) continue;
    yield { kind: "wrong_state", order, detail: `${pk} costs ${costs}; the inventory quoted ${quoted} cents` };
  }
  for (const { order, replies } of placements) {
    for (const reply of replies) {
      const hash = facts.orders.get(reply.pk) ?? {};
      const differing = AMOUNTS.find((name) => reply[name] !== (hash[name] === undefined ? undefined : +hash[name]));
      if (differing) yield { kind: "wrong_state", order, detail: `a client got another ${differing}` };
    }
  }
}

/** Price, fee and total of an order, calculated in whole cents. */
function amounts(cents: number, quantity: number): string {
  const net = cents * quantity;
  const fee = Math.floor((net * 2 + 5) / 10);
  return [cents, fee, net + fee].map((amount) => String(amount).padStart(3, "0").replace(/..$/, ".$&")).join();
}

/**
 * 8. A request without a price gets the reply that its order was not placed. This holds for its key, too: no other request
 * that asked for the price earlier places the order. One that asks later may.
 */
function* refusedHonestly({ facts, prices }: Evidence): Flaws {
  if (!prices) return;
  const pksOf = Map.groupBy(facts.orders.keys(), (pk) => numberOf(facts, pk));
  for (const { order, askedMs } of prices.refusals) {
    for (const pk of pksOf.get(order) ?? []) {
      if ((prices.askedMs.get(pk) ?? Number.POSITIVE_INFINITY) > askedMs) continue;
      const detail = `a request was refused, while one with the same key was about to place ${pk}`;
      yield { kind: "wrong_state", order, detail };
    }
  }
}

/** 9. A client that retries until it gets its order does get it. */
function* retriesSucceed({ placements }: Evidence): Flaws {
  for (const { order, behaviour, replies } of placements) {
    if (!retries({ behaviour }) || replies.length > 0) continue;
    yield { kind: "lost", order, detail: `its client (${behaviour}) never got it, however often it sent it` };
  }
}

/**
 * 10. The metrics count nothing twice. They may count less: a function that is killed after its work in Redis writes no
 * metrics, and one whose reply was lost finds its own work done.
 */
function* countedOnce({ facts, metrics }: Evidence): Flaws {
  const stored = [...facts.orders.values()];
  const completed = stored.filter(({ completed_at }) => completed_at !== undefined).length;
  const refunded = stored.filter(({ status }) => status === "refunded").length;
  const count = (name: string) => metrics.get(name) ?? 0;
  const totals = [
    ["orders created", count("OrdersCreated"), stored.length],
    ["orders completed", count("OrdersCompleted") + count("OrdersCompletedBySweep"), completed],
    ["refunds applied", count("RefundsApplied"), refunded],
    ["dead letters", count("RefundsDeadLettered"), facts.deadLetters.length],
  ] as const;
  for (const [what, counted, real] of totals) {
    if (counted <= real) continue;
    yield { kind: "duplicated", detail: `the metrics count ${counted} ${what}, and there are ${real}` };
  }
}

/** 11. With `sweep` no order is completed before it is due, by the clock of the run that completes it. */
function* neverEarly({ facts, completion }: Evidence): Flaws {
  if (completion !== "sweep") return;
  for (const { order, lateMs } of latenessOf(facts)) {
    if (lateMs < 0) yield { kind: "wrong_state", order, detail: `it was completed ${-lateMs} ms too early` };
  }
}

/** How late each completed order was, in ms. The clocks of its due time and of its completion may differ. */
export function latenessOf(facts: Facts): { order: number | undefined; lateMs: number }[] {
  return storedOrders(facts).flatMap(({ pk, hash, order }) =>
    hash.completed_at === undefined ? [] : [{ order, lateMs: Date.parse(hash.completed_at) - dueTime(pk) }],
  );
}

function storedOrders(facts: Facts): { pk: string; hash: Hash; order: number | undefined }[] {
  return [...facts.orders].map(([pk, hash]) => ({ pk, hash, order: numberIn(hash.product_id ?? "") }));
}
