import { type Invariant, numberOf, type Violation } from "./violation.ts";

/** The times that an order of each state has, besides that of its creation. */
const TIMES: Readonly<Record<string, readonly string[]>> = {
  completed: ["completed_at"],
  refunded: ["refunded_at", "completed_at,refunded_at"],
};

/** 2. Every order ends completed or refunded: none stays pending once faults stop and one sweep has run. */
export const ended: Invariant = ({ facts }) =>
  [...facts.orders].flatMap(([pk, hash]): Violation[] => {
    const order = numberOf(facts, pk);
    if (hash.status === "pending") return [{ invariant: 2, kind: "stuck", order, detail: `${pk} is still pending` }];
    const times = ["completed_at", "refunded_at"].filter((field) => hash[field] !== undefined).join();
    if (TIMES[hash.status ?? ""]?.includes(times)) return [];
    return [
      { invariant: 2, kind: "wrong_state", order, detail: `${pk} is ${hash.status} with ${times || "no times"}` },
    ];
  });
