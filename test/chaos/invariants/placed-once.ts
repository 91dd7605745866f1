import { productOf } from "../journal.ts";
import type { Invariant, Violation } from "./violation.ts";

const SAME = ["product_id", "quantity", "created_at"] as const;

/** 1. Every 200 that a client ever got is an order that exists, and one key, or one request, never made two. */
export const placedOnce: Invariant = ({ facts, placements }) => {
  const stored = new Map<string, string[]>();
  for (const [pk, { product_id = "" }] of facts.orders) stored.set(product_id, [...(stored.get(product_id) ?? []), pk]);

  return placements.flatMap(({ order, told, nonsense }) => {
    const violations: Violation[] = [];
    const pks = stored.get(productOf(order)) ?? [];
    if (pks.length > 1) {
      violations.push({ invariant: 1, kind: "duplicated", order, detail: `it was made ${pks.length} times: ${pks}` });
    }
    const differing = new Set(told.map(({ pk }) => pk));
    if (differing.size > 1) {
      violations.push({ invariant: 1, kind: "duplicated", order, detail: `its client was told of ${[...differing]}` });
    }
    for (const reply of told) {
      const hash = facts.orders.get(reply.pk);
      if (!hash) violations.push({ invariant: 1, kind: "lost", order, detail: `${reply.pk} is not there` });
      const changed = hash && SAME.find((field) => hash[field] !== String(reply[field]));
      if (changed) violations.push({ invariant: 1, kind: "wrong_state", order, detail: `its ${changed} differs` });
    }
    for (const reply of nonsense) violations.push({ invariant: 1, kind: "wrong_state", order, detail: reply });
    return violations;
  });
};
