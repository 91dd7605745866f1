import { decimal } from "../price-book.ts";
import { type Invariant, numberOf, type Violation } from "./violation.ts";

const AMOUNTS = ["price", "fee", "total"] as const;

/**
 * 7. What an order costs is exactly what one answer of the inventory made of it, in Redis and to every client, so that no
 * key has two prices. Without an inventory no order has a price.
 */
export const pricedOnce: Invariant = ({ facts, placements, prices }) => {
  const stored = [...facts.orders].flatMap(([pk, hash]): Violation[] => {
    const order = numberOf(facts, pk);
    const costs = AMOUNTS.map((name) => hash[name] ?? "none").join();
    const told = prices ? (prices.told.get(order ?? 0) ?? []) : [];
    const right = prices ? told.map((cents) => amounts(cents, Number(hash.quantity)).join()) : ["none,none,none"];
    return right.includes(costs) ? [] : [flaw(order, `${pk} costs ${costs}; the inventory told ${told} cents`)];
  });
  const replies = placements.flatMap(({ order, told }) =>
    told.flatMap((reply): Violation[] => {
      const hash = facts.orders.get(reply.pk) ?? {};
      const differing = AMOUNTS.find((name) => String(reply[name]) !== String(numberIn(hash[name])));
      return differing ? [flaw(order, `a client was told another ${differing} than ${hash[differing]}`)] : [];
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

const flaw = (order: number | undefined, detail: string): Violation => ({
  invariant: 7,
  kind: "wrong_state",
  order,
  detail,
});
