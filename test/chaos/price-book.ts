/** What the inventory said of each order's product, by the order's number. */
export interface PriceBook {
  /** The prices of one piece, in cents, that a function was told. */
  readonly told: Map<number, number[]>;
  /** The orders whose product the inventory has denied. */
  readonly denied: Set<number>;
}

export const createPriceBook = (): PriceBook => ({ told: new Map(), denied: new Set() });

/** The JSON number of so many cents. */
export const inUnits = (cents: number): number => Number(decimal(cents));

/** With exactly two decimals. */
export const decimal = (cents: number): string => `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;
