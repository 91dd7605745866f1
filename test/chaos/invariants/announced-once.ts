import { isDeepStrictEqual } from "node:util";
import type { Announcement, Hash } from "../facts.ts";
import { type Invariant, numberOf, type Violation } from "./violation.ts";

/**
 * 3. Exactly one `order_completed` entry for each order that was ever completed, none for one that was not; its fields
 * equal the order's.
 */
export const announcedOnce: Invariant = ({ facts }) => {
  const entries = Map.groupBy(facts.announcements, ({ fields }) => fields.pk ?? "");
  const strangers = [...entries.keys()].filter((pk) => !facts.orders.has(pk));
  return [
    ...[...facts.orders].flatMap(([pk, hash]) =>
      judge(pk, hash, entries.get(pk) ?? []).map((violation) => ({ ...violation, order: numberOf(facts, pk) })),
    ),
    ...strangers.map((pk) => flaw("wrong_state", `${pk || "an order without pk"} was announced and is not there`)),
  ];
};

function judge(pk: string, hash: Hash, entries: readonly Announcement[]): Violation[] {
  if (hash.completed_at === undefined) {
    return entries.length === 0 ? [] : [flaw("wrong_state", `${pk} was announced and never completed`)];
  }
  if (entries.length === 0) return [flaw("lost", `the completion of ${pk} was never announced`)];
  const { refunded_at: _, ...order } = hash;
  const wanted = { ...order, pk, status: "completed" };
  const differing = entries.find(({ fields }) => !isDeepStrictEqual(fields, wanted));
  return [
    ...(entries.length > 1 ? [flaw("duplicated", `${pk} was announced ${entries.length} times`)] : []),
    ...(differing ? [flaw("wrong_state", `${pk} was announced as ${JSON.stringify(differing.fields)}`)] : []),
  ];
}

function flaw(kind: Violation["kind"], detail: string): Violation {
  return { invariant: 3, kind, detail };
}
