import { Big } from "big.js";
import * as z from "zod/mini";

/** The fee, as a part of price × quantity. */
const FEE_RATE = "0.2";

/**
 * With the largest quantity a total stays below 2^46 (7.0 × 10^13). Below that, floats are closer together than cents, so
 * every total is a different JSON number and is read back exactly.
 */
export const MAX_PRICE = 10_000_000;

const WHOLE_CENTS = /^\d+(\.\d{1,2})?$/;

/** The price of one unit, from 0 to 10,000,000, in whole cents: its shortest decimal form has at most two decimals. */
export const UnitPrice = z.number().check(
  z.minimum(0),
  z.maximum(MAX_PRICE),
  z.refine((price) => WHOLE_CENTS.test(String(price)), "has more than two decimals"),
);

/** The unit price, the fee and the total of an order, as decimals with exactly two places. */
export interface Amounts {
  readonly price: string;
  readonly fee: string;
  readonly total: string;
}

/**
 * What an order costs, exact to the cent: the fee is 20 % of price × quantity, rounded half up to the cent; the total is
 * price × quantity plus the fee.
 * @param unitPrice a `UnitPrice`
 */
export function priceOrder(unitPrice: number, quantity: number): Amounts {
  // As text: big.js would keep the sign of -0.
  const price = Big(String(unitPrice));
  const net = price.times(quantity);
  const fee = net.times(FEE_RATE).round(2, Big.roundHalfUp);
  return { price: price.toFixed(2), fee: fee.toFixed(2), total: net.plus(fee).toFixed(2) };
}
