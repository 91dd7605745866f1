import { z } from "zod";
import data from "./prices.json" with { type: "json" };

const Price = z.strictObject({
  usd: z.number().positive(),
  /** What `usd` buys, in `unit`. */
  per: z.number().positive(),
  unit: z.string(),
  source: z.url(),
  takenOn: z.iso.date(),
  /** False where the price was not seen anywhere for this Region. */
  verified: z.boolean(),
  note: z.string(),
});
export type Price = z.infer<typeof Price>;

const Assumption = z.strictObject({ value: z.number().nonnegative(), note: z.string() });

const named = <Name extends string, Value extends z.ZodType>(names: readonly Name[], value: Value) =>
  z.strictObject(Object.fromEntries(names.map((name) => [name, value])) as Record<Name, Value>);

export type PriceName = keyof typeof data.prices;
export type AssumptionName = keyof typeof data.assumptions;

const PriceList = z.strictObject({
  region: z.string(),
  currency: z.literal("USD"),
  prices: named(Object.keys(data.prices) as PriceName[], Price),
  assumptions: named(Object.keys(data.assumptions) as AssumptionName[], Assumption),
});
export type PriceList = z.infer<typeof PriceList>;

/** Every price and every assumption, with where it is from: prices.json. */
export const PRICES: PriceList = PriceList.parse(data);

/** @returns USD for a quantity in the price's own unit */
export const usdOf = ({ usd, per }: Price, quantity: number): number => (quantity * usd) / per;
