import { z } from "zod";
import { PRICES, type PriceName, usdOf } from "./prices.ts";

/** One line of a bill. */
export const Line = z.strictObject({
  part: z.string(),
  quantity: z.number(),
  unit: z.string(),
  usd: z.number(),
  /** The same with what was measured on this machine instead of the model of Lambda; equal where nothing is modelled. */
  measuredUsd: z.number(),
});
export type Line = z.infer<typeof Line>;

/** @param measured the quantity that was measured, where `quantity` is by a model */
export function line(part: string, price: PriceName, quantity: number, measured = quantity): Line {
  const { [price]: of } = PRICES.prices;
  return { part, quantity, unit: of.unit, usd: usdOf(of, quantity), measuredUsd: usdOf(of, measured) };
}

export const sumOf = (lines: readonly Line[]): number => lines.reduce((sum, { usd }) => sum + usd, 0);
