import { isDeepStrictEqual } from "node:util";
import { type Placement, retries } from "./clients.ts";
import type { Facts, Hash } from "./database.ts";
import { productOf } from "./history.ts";
import type { PriceBook } from "./inventory.ts";
import { type RefundRequest, refOf } from "./refunds.ts";

const PRODUCT = /^chaos-(\d+)$/;

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
  /** The order's number, when it is about one. */
  readonly order?: number | undefined;
  /** The refund request, when it is about one. */
  readonly ref?: string;
  readonly detail: string;
}

/** A promise that the service did not keep. */
export interface Violation extends Flaw {
  /** 1 to 10: which invariant, as docs/reliability.md numbers them. */
  readonly invariant: number;
}

/** What a run leaves behind to judge it by. */
export interface Evidence {
  readonly facts: Facts;
  readonly placements: readonly Placement[];
  readonly requests: ReadonlyMap<string, RefundRequest>;
  /** What the inventory said, in a run that has one. */
  readonly prices?: Pick<PriceBook, "told" | "askedMs" | "refusals"> | undefined;
  /** What the functions counted, by metric. */
  readonly metrics: ReadonlyMap<string, number>;
  /** What a reader saw that may not happen. */
  readonly seen: readonly { readonly order: number; readonly detail: string }[];
}

/** Holds a run against every invariant, in their order. */
export function judge(evidence: Evidence): Violation[] {
  const invariants = [
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
  ];
  return invariants.flatMap((hold, index) => hold(evidence).map((flaw) => ({ invariant: index + 1, ...flaw })));
}

/** The number of the order that is stored under `pk`. */
export function numberOf({ orders }: Facts, pk: string): number | undefined {
  const number = PRODUCT.exec(orders.get(pk)?.product_id ?? "")?.[1];
  return number === undefined ? undefined : Number(number);
}

/**
 * 1. Every 200 is an order that exists, also one whose reply was lost on its way to the client, and one key, or one request,
 * never made two.
 */
function placedOnce({ facts, placements }: Evidence): Flaw[] {
  const stored = Map.groupBy(facts.orders, ([, { product_id }]) => product_id);

  return placements.flatMap(({ order, replies, lostReplies, wrongReplies }) => {
    const told = [...replies, ...lostReplies];
    const pks = (stored.get(productOf(order)) ?? []).map(([pk]) => pk);
    const differing = [...new Set(told.map(({ pk }) => pk))];
    const flaws = told.flatMap((reply): Flaw[] => {
      const hash = facts.orders.get(reply.pk);
      if (!hash) return [{ kind: "lost", order, detail: `${reply.pk} is not there` }];
      const changed = SAME.find((field) => hash[field] !== String(reply[field]));
      return changed ? [{ kind: "wrong_state", order, detail: `its ${changed} differs` }] : [];
    });
    return [
      ...when(pks.length > 1, "duplicated", `it was stored ${pks.length} times: ${pks}`, order),
      ...when(differing.length > 1, "duplicated", `its replies name ${differing}`, order),
      ...flaws,
      ...wrongReplies.map((detail): Flaw => ({ kind: "wrong_state", order, detail })),
    ];
  });
}

/** 2. Every order ends completed or refunded: none stays pending once faults stop and one sweep has run. */
function ended({ facts }: Evidence): Flaw[] {
  return ofOrders(facts, (pk, hash) => {
    const times = ["completed_at", "refunded_at"].filter((field) => hash[field] !== undefined).join();
    if (hash.status === "pending") return [{ kind: "stuck", detail: `${pk} is still pending` }];
    const right = TIMES[hash.status ?? ""]?.includes(times);
    return when(!right, "wrong_state", `${pk} is ${hash.status} with ${times || "no times"}`);
  });
}

/**
 * 3. Exactly one `order_completed` entry for each order that was ever completed, none for one that was not; its fields
 * equal the order's.
 */
function announcedOnce({ facts }: Evidence): Flaw[] {
  const entries = Map.groupBy(facts.announcements, ({ pk = "" }) => pk);
  const strangers = [...entries.keys()].filter((pk) => !facts.orders.has(pk));
  const flaws = ofOrders(facts, (pk, { refunded_at: _, ...order }) => {
    const own = entries.get(pk) ?? [];
    const wanted = { ...order, pk, status: "completed" };
    const differing = own.find((fields) => !isDeepStrictEqual(fields, wanted));
    if (order.completed_at === undefined) {
      return when(own.length > 0, "wrong_state", `${pk} was announced and never completed`);
    }
    return [
      ...when(own.length === 0, "lost", `the completion of ${pk} was never announced`),
      ...when(own.length > 1, "duplicated", `${pk} was announced ${own.length} times`),
      ...when(differing !== undefined, "wrong_state", `${pk} was announced as ${JSON.stringify(differing)}`),
    ];
  });
  return [...flaws, ...strangers.flatMap((pk) => when(true, "wrong_state", `${pk} was announced and is not there`))];
}

/**
 * 4. Every valid refund request moved its order exactly once; every invalid one is in `refund_order:dead` exactly once,
 * with its reason and its fields, or what 4 KB hold of them. That nothing is refunded twice shows in its `refunded_at`, which
 * invariant 6 holds fast.
 */
function refundedOnce({ facts, requests }: Evidence): Flaw[] {
  const letters = Map.groupBy(facts.deadLetters, refOf);
  const asked = new Set([...requests.values()].map(({ expected }) => ("pk" in expected ? expected.pk : "")));
  const strangers = [...letters.keys()].filter((ref) => !requests.has(ref));
  return [
    ...[...requests.values()].flatMap((request) => refundFlaws(request, facts, letters.get(request.ref) ?? [])),
    ...ofOrders(facts, (pk, { status }) =>
      when(status === "refunded" && !asked.has(pk), "wrong_state", `nobody asked to refund ${pk}`),
    ),
    ...strangers.flatMap((ref) => when(true, "wrong_state", `a dead letter of ${ref}`)),
  ];
}

function refundFlaws(request: RefundRequest, { orders }: Facts, letters: readonly (readonly Buffer[])[]): Flaw[] {
  const { ref, expected, mayBeLost } = request;
  const flaws = (): Flaw[] => {
    if ("pk" in expected) {
      const { pk, order } = expected;
      const lost = orders.get(pk)?.status !== "refunded" && !mayBeLost;
      return [
        ...when(lost, "lost", `${pk} was not refunded`, order),
        ...when(letters.length > 0, "wrong_state", "a valid request is a dead letter", order),
      ];
    }
    const { reason } = expected;
    const [letter] = letters;
    if (!letter) return when(!mayBeLost, "lost", `no dead letter, though ${reason}`);
    if (letters.length > 1) return when(true, "duplicated", `${letters.length} dead letters`);
    if (String(letter[1]) !== reason) return when(true, "wrong_state", `dead for ${letter[1]}, not ${reason}`);
    return when(!isKept(request, letter), "wrong_state", "it was not kept as it is");
  };
  return flaws().map((flaw) => ({ ...flaw, ref }));
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
function nothingLeft({ facts }: Evidence): Flaw[] {
  const { pendingEntriesLeft, requestsLeft, pendingPks } = facts;
  const stuck = (count: number, detail: string) =>
    Array.from({ length: count }, (): Flaw => ({ kind: "stuck", detail }));
  return [
    ...stuck(pendingEntriesLeft, "a refund request is still pending in the group"),
    ...stuck(requestsLeft - pendingEntriesLeft, "a refund request is still on the stream"),
    ...pendingPks.flatMap((pk) => when(true, "stuck", `${pk} is still in orders:pending`, numberOf(facts, pk))),
  ];
}

/** 6. No illegal move of an order's state was ever seen by a reader who polled through the whole run. */
function legalMoves({ seen }: Evidence): Flaw[] {
  return seen.map(({ order, detail }) => ({ kind: "wrong_state", order, detail }));
}

/**
 * 7. What an order costs is exactly what one answer of the inventory made of it, in Redis and to every client, so that no
 * key has two prices. Without an inventory no order has a price.
 */
function pricedOnce({ facts, placements, prices }: Evidence): Flaw[] {
  const stored = ofOrders(facts, (pk, hash) => {
    const costs = AMOUNTS.map((name) => hash[name] ?? "none").join();
    const told = prices?.told.get(numberOf(facts, pk) ?? 0) ?? [];
    const right = prices ? told.map((cents) => amounts(cents, Number(hash.quantity))) : ["none,none,none"];
    return when(!right.includes(costs), "wrong_state", `${pk} costs ${costs}; the inventory told ${told} cents`);
  });
  const replies = placements.flatMap(({ order, replies }) =>
    replies.flatMap((reply) => {
      const hash = facts.orders.get(reply.pk) ?? {};
      const differing = AMOUNTS.find((name) => reply[name] !== (hash[name] === undefined ? undefined : +hash[name]));
      return when(differing !== undefined, "wrong_state", `a client was told another ${differing}`, order);
    }),
  );
  return [...stored, ...replies];
}

/** Price, fee and total of an order, reckoned in whole cents. */
function amounts(cents: number, quantity: number): string {
  const net = cents * quantity;
  const fee = Math.floor((net * 2 + 5) / 10);
  return [cents, fee, net + fee].map((amount) => `${Math.trunc(amount / 100)}.${twoDigits(amount % 100)}`).join();
}

const twoDigits = (number: number) => String(number).padStart(2, "0");

/**
 * 8. A request that got no price is told that its order was not placed. That is true of its key, too: no other request that
 * had asked for the price before goes on to place the order. One that asks afterwards may.
 */
function refusedHonestly({ facts, prices }: Evidence): Flaw[] {
  const pksOf = Map.groupBy(facts.orders.keys(), (pk) => numberOf(facts, pk));
  return (prices?.refusals ?? []).flatMap(({ order, askedMs }) =>
    (pksOf.get(order) ?? []).flatMap((pk) => {
      const lied = (prices?.askedMs.get(pk) ?? Number.POSITIVE_INFINITY) <= askedMs;
      const detail = `a request was refused, while one with the same key was about to place ${pk}`;
      return when(lied, "wrong_state", detail, order);
    }),
  );
}

/** 9. A client that sends its order again until it gets it does get it. */
function retriesSucceed({ placements }: Evidence): Flaw[] {
  return placements.flatMap(({ order, behaviour, replies }) => {
    const detail = `its client (${behaviour}) never got it, however often it sent it`;
    return when(retries({ behaviour }) && replies.length === 0, "lost", detail, order);
  });
}

/**
 * 10. The metrics count nothing twice. They may count less: a function that is killed after its work in Redis writes no
 * metrics, and one whose reply was lost finds its own work done.
 */
function countedOnce({ facts, metrics }: Evidence): Flaw[] {
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
  return totals.flatMap(([what, counted, real]) =>
    when(counted > real, "duplicated", `the metrics count ${counted} ${what}, and there are ${real}`),
  );
}

/** A flaw, if there is one. */
function when(broken: boolean, kind: Flaw["kind"], detail: string, order?: number): Flaw[] {
  return broken ? [{ kind, order, detail }] : [];
}

/** The flaws of each stored order. */
function ofOrders(facts: Facts, flawsOf: (pk: string, hash: Hash) => Flaw[]): Flaw[] {
  return [...facts.orders].flatMap(([pk, hash]) =>
    flawsOf(pk, hash).map((flaw) => ({ ...flaw, order: numberOf(facts, pk) })),
  );
}
