import { isDeepStrictEqual } from "node:util";
import { type Placement, RETRYING } from "./clients.ts";
import type { Announcement, Facts, Hash } from "./database.ts";
import { productOf } from "./history.ts";
import { decimal, type PriceBook } from "./inventory.ts";
import { REF, type RefundRequest } from "./refunds.ts";

/** A promise that the service did not keep. */
export interface Violation {
  /** 1 to 10: which invariant, as docs/reliability.md numbers them. */
  readonly invariant: number;
  readonly kind: "lost" | "duplicated" | "wrong_state" | "stuck";
  /** The order's number, when it is about one. */
  readonly order?: number | undefined;
  /** The refund request, when it is about one. */
  readonly ref?: string;
  readonly detail: string;
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

type Invariant = (evidence: Evidence) => Violation[];

const PRODUCT = /^chaos-(\d+)$/;

/** The number of the order that is stored under `pk`. */
export function numberOf({ orders }: Facts, pk: string): number | undefined {
  const number = PRODUCT.exec(orders.get(pk)?.product_id ?? "")?.[1];
  return number === undefined ? undefined : Number(number);
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
  return invariants.flatMap((hold) => hold(evidence));
}

const SAME = ["product_id", "quantity", "created_at"] as const;

/**
 * 1. Every 200 is an order that exists, also one whose reply was lost on its way to the client, and one key, or one request,
 * never made two.
 */
const placedOnce: Invariant = ({ facts, placements }) => {
  const stored = new Map<string, string[]>();
  for (const [pk, { product_id = "" }] of facts.orders) stored.set(product_id, [...(stored.get(product_id) ?? []), pk]);

  return placements.flatMap(({ order, replies, lostReplies, wrongReplies }) => {
    const told = [...replies, ...lostReplies];
    const violations: Violation[] = [];
    const pks = stored.get(productOf(order)) ?? [];
    if (pks.length > 1) {
      violations.push({ invariant: 1, kind: "duplicated", order, detail: `it was stored ${pks.length} times: ${pks}` });
    }
    const differing = new Set(told.map(({ pk }) => pk));
    if (differing.size > 1) {
      violations.push({ invariant: 1, kind: "duplicated", order, detail: `its replies name ${[...differing]}` });
    }
    for (const reply of told) {
      const hash = facts.orders.get(reply.pk);
      if (!hash) violations.push({ invariant: 1, kind: "lost", order, detail: `${reply.pk} is not there` });
      const changed = hash && SAME.find((field) => hash[field] !== String(reply[field]));
      if (changed) violations.push({ invariant: 1, kind: "wrong_state", order, detail: `its ${changed} differs` });
    }
    for (const reply of wrongReplies) violations.push({ invariant: 1, kind: "wrong_state", order, detail: reply });
    return violations;
  });
};

/** The times that an order of each state has, besides that of its creation. */
const TIMES: Readonly<Record<string, readonly string[]>> = {
  completed: ["completed_at"],
  refunded: ["refunded_at", "completed_at,refunded_at"],
};

/** 2. Every order ends completed or refunded: none stays pending once faults stop and one sweep has run. */
const ended: Invariant = ({ facts }) =>
  [...facts.orders].flatMap(([pk, hash]): Violation[] => {
    const order = numberOf(facts, pk);
    if (hash.status === "pending") return [{ invariant: 2, kind: "stuck", order, detail: `${pk} is still pending` }];
    const times = ["completed_at", "refunded_at"].filter((field) => hash[field] !== undefined).join();
    if (TIMES[hash.status ?? ""]?.includes(times)) return [];
    return [
      { invariant: 2, kind: "wrong_state", order, detail: `${pk} is ${hash.status} with ${times || "no times"}` },
    ];
  });

/**
 * 3. Exactly one `order_completed` entry for each order that was ever completed, none for one that was not; its fields
 * equal the order's.
 */
const announcedOnce: Invariant = ({ facts }) => {
  const entries = Map.groupBy(facts.announcements, ({ fields }) => fields.pk ?? "");
  const strangers = [...entries.keys()].filter((pk) => !facts.orders.has(pk));
  return [
    ...[...facts.orders].flatMap(([pk, hash]) =>
      announcementFlaws(pk, hash, entries.get(pk) ?? []).map((violation) => ({
        ...violation,
        order: numberOf(facts, pk),
      })),
    ),
    ...strangers.map((pk) =>
      announcementFlaw("wrong_state", `${pk || "an order without pk"} was announced and is not there`),
    ),
  ];
};

function announcementFlaws(pk: string, hash: Hash, entries: readonly Announcement[]): Violation[] {
  if (hash.completed_at === undefined) {
    return entries.length === 0 ? [] : [announcementFlaw("wrong_state", `${pk} was announced and never completed`)];
  }
  if (entries.length === 0) return [announcementFlaw("lost", `the completion of ${pk} was never announced`)];
  const { refunded_at: _, ...order } = hash;
  const wanted = { ...order, pk, status: "completed" };
  const differing = entries.find(({ fields }) => !isDeepStrictEqual(fields, wanted));
  return [
    ...(entries.length > 1 ? [announcementFlaw("duplicated", `${pk} was announced ${entries.length} times`)] : []),
    ...(differing
      ? [announcementFlaw("wrong_state", `${pk} was announced as ${JSON.stringify(differing.fields)}`)]
      : []),
  ];
}

function announcementFlaw(kind: Violation["kind"], detail: string): Violation {
  return { invariant: 3, kind, detail };
}

/** What is written before the request's own fields. */
const PREFIX = ["dead_reason", "dead_id", "dead_at"];

type DeadLetter = readonly Buffer[];
type Flaw = Pick<Violation, "kind" | "order" | "detail">;

/**
 * 4. Every valid refund request moved its order exactly once; every invalid one is in `refund_order:dead` exactly once,
 * with its reason and its fields, or what 4 KB hold of them. That nothing is refunded twice shows in its `refunded_at`, which invariant 6 holds fast.
 */
const refundedOnce: Invariant = ({ facts, requests }) => {
  const letters = Map.groupBy(facts.deadLetters, refOf);
  const asked = new Set([...requests.values()].flatMap(({ expected }) => ("pk" in expected ? expected.pk : [])));
  const unasked = [...facts.orders].filter(([pk, { status }]) => status === "refunded" && !asked.has(pk));
  const strangers = [...letters.keys()].filter((ref) => !requests.has(ref));

  return [
    ...[...requests.values()].flatMap((request) =>
      refundFlaws(request, facts, letters.get(request.ref) ?? []).map(
        (flaw): Violation => ({ invariant: 4, ref: request.ref, ...flaw }),
      ),
    ),
    ...unasked.map(
      ([pk]): Violation => ({
        invariant: 4,
        kind: "wrong_state",
        order: numberOf(facts, pk),
        detail: `nobody asked to refund ${pk}`,
      }),
    ),
    ...strangers.map((ref): Violation => ({ invariant: 4, kind: "wrong_state", detail: `a dead letter of ${ref}` })),
  ];
};

function refundFlaws({ expected, fields, mayBeLost }: RefundRequest, { orders }: Facts, letters: DeadLetter[]): Flaw[] {
  const [letter = []] = letters;
  if ("pk" in expected) {
    const { pk, order } = expected;
    const refunded = orders.get(pk)?.status === "refunded";
    return [
      ...(refunded || mayBeLost ? [] : [{ kind: "lost" as const, order, detail: `${pk} was not refunded` }]),
      ...letters.map(() => ({ kind: "wrong_state" as const, order, detail: "a valid request is a dead letter" })),
    ];
  }
  const { reason } = expected;
  if (letters.length === 0) return mayBeLost ? [] : [{ kind: "lost", detail: `no dead letter, though ${reason}` }];
  if (letters.length > 1) return [{ kind: "duplicated", detail: `${letters.length} dead letters` }];
  if (String(letter[1]) !== reason) return [{ kind: "wrong_state", detail: `dead for ${letter[1]}, not ${reason}` }];
  const names = PREFIX.map((_, index) => String(letter[2 * index]));
  const kept = [...letter.slice(2 * PREFIX.length)];
  const own = fields.map((field) => Buffer.from(field));
  const sound = isDeepStrictEqual(kept, own) || isTruncated(kept, own);
  return sound && isDeepStrictEqual(names, PREFIX) ? [] : [{ kind: "wrong_state", detail: "it was not kept as it is" }];
}

/** Of a request above 4 KB a dead letter keeps the size, the beginning of the pk, and the other fields. */
function isTruncated(kept: readonly Buffer[], own: readonly Buffer[]): boolean {
  const bytes = own.reduce((sum, value) => sum + value.length + 1, 0);
  const [mark, size, , pk = Buffer.alloc(0), ...others] = kept;
  return (
    bytes > 4_096 &&
    String(mark) === "dead_truncated" &&
    String(size) === String(bytes) &&
    own[1]?.subarray(0, pk.length).equals(pk) === true &&
    isDeepStrictEqual(others, own.slice(2))
  );
}

export function refOf(fields: DeadLetter): string {
  const at = fields.findIndex((field, index) => index % 2 === 0 && field.toString() === REF);
  return at === -1 ? "nobody" : String(fields[at + 1]);
}

/** 5. No entry is left pending in the group, none in the stream, and `orders:pending` is empty. */
const nothingLeft: Invariant = ({ facts }) => {
  const left = (count: number, what: string): Violation[] =>
    Array.from({ length: count }, () => ({ invariant: 5, kind: "stuck", detail: what }));
  return [
    ...left(facts.pendingEntriesLeft, "a refund request is still pending in the group"),
    ...left(facts.requestsLeft - facts.pendingEntriesLeft, "a refund request is still on the stream"),
    ...facts.pendingPks.map(
      (pk): Violation => ({
        invariant: 5,
        kind: "stuck",
        order: numberOf(facts, pk),
        detail: `${pk} is still in orders:pending`,
      }),
    ),
  ];
};

/** 6. No illegal move of an order's state was ever seen by a reader who polled through the whole run. */
const legalMoves: Invariant = ({ seen }) =>
  seen.map(({ order, detail }) => ({ invariant: 6, kind: "wrong_state", order, detail }));

const AMOUNTS = ["price", "fee", "total"] as const;

/**
 * 7. What an order costs is exactly what one answer of the inventory made of it, in Redis and to every client, so that no
 * key has two prices. Without an inventory no order has a price.
 */
const pricedOnce: Invariant = ({ facts, placements, prices }) => {
  const stored = [...facts.orders].flatMap(([pk, hash]): Violation[] => {
    const order = numberOf(facts, pk);
    const costs = AMOUNTS.map((name) => hash[name] ?? "none").join();
    const told = prices ? (prices.told.get(order ?? 0) ?? []) : [];
    const right = prices ? told.map((cents) => amounts(cents, Number(hash.quantity)).join()) : ["none,none,none"];
    return right.includes(costs) ? [] : [wrongPrice(order, `${pk} costs ${costs}; the inventory told ${told} cents`)];
  });
  const replies = placements.flatMap(({ order, replies }) =>
    replies.flatMap((reply): Violation[] => {
      const hash = facts.orders.get(reply.pk) ?? {};
      const differing = AMOUNTS.find((name) => String(reply[name]) !== String(numberIn(hash[name])));
      return differing ? [wrongPrice(order, `a client was told another ${differing} than ${hash[differing]}`)] : [];
    }),
  );
  return [...stored, ...replies];
};

/** Price, fee and total of an order, reckoned in whole cents. */
function amounts(cents: number, quantity: number): string[] {
  const net = cents * quantity;
  const fee = Math.floor((net * 2 + 5) / 10);
  return [cents, fee, net + fee].map(decimal);
}

const numberIn = (text: string | undefined) => (text === undefined ? undefined : Number(text));

const wrongPrice = (order: number | undefined, detail: string): Violation => ({
  invariant: 7,
  kind: "wrong_state",
  order,
  detail,
});

/**
 * 8. A request that got no price is told that its order was not placed. That is true of its key, too: no other request that
 * had asked for the price before goes on to place the order. One that asks afterwards may.
 */
const refusedHonestly: Invariant = ({ facts, prices }) => {
  const pksOf = Map.groupBy(facts.orders.keys(), (pk) => numberOf(facts, pk));
  return (prices?.refusals ?? []).flatMap(({ order, askedMs }) =>
    (pksOf.get(order) ?? [])
      .filter((pk) => (prices?.askedMs.get(pk) ?? Number.POSITIVE_INFINITY) <= askedMs)
      .map(
        (pk): Violation => ({
          invariant: 8,
          kind: "wrong_state",
          order,
          detail: `a request was refused, while one with the same key was about to place ${pk}`,
        }),
      ),
  );
};

/** 9. A client that sends its order again until it gets it does get it. */
const retriesSucceed: Invariant = ({ placements }) =>
  placements
    .filter(({ behaviour, replies }) => RETRYING.includes(behaviour) && replies.length === 0)
    .map(({ order, behaviour }) => ({
      invariant: 9,
      kind: "lost",
      order,
      detail: `its client (${behaviour}) never got it, however often it sent it`,
    }));

/**
 * 10. The metrics count nothing twice. They may count less: a function that is killed after its work in Redis writes no
 * metrics, and one whose reply was lost finds its own work done.
 */
const countedOnce: Invariant = ({ facts, metrics }) => {
  const stored = [...facts.orders.values()];
  const count = (...names: string[]) => names.reduce((sum, name) => sum + (metrics.get(name) ?? 0), 0);
  const totals = [
    ["orders created", count("OrdersCreated"), stored.length],
    [
      "orders completed",
      count("OrdersCompleted", "OrdersCompletedBySweep"),
      stored.filter(({ completed_at }) => completed_at !== undefined).length,
    ],
    ["refunds applied", count("RefundsApplied"), stored.filter(({ status }) => status === "refunded").length],
    ["dead letters", count("RefundsDeadLettered"), facts.deadLetters.length],
  ] as const;
  return totals
    .filter(([, counted, real]) => counted > real)
    .map(([what, counted, real]) => ({
      invariant: 10,
      kind: "duplicated",
      detail: `the metrics count ${counted} ${what}, and there are ${real}`,
    }));
};
