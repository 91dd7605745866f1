import { type Invariant, numberOf, type Violation } from "./violation.ts";

/**
 * 8. A request that got no price is told that its order was not placed. That is true of its key, too: no other request that
 * had asked for the price before goes on to place the order. One that asks afterwards may.
 */
export const refusedHonestly: Invariant = ({ facts, prices }) => {
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
