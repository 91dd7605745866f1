import { type Invariant, numberOf, type Violation } from "./violation.ts";

/** 5. No entry is left pending in the group, none in the stream, and `orders:pending` is empty. */
export const nothingLeft: Invariant = ({ facts }) => {
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
