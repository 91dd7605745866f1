import type { Facts } from "../facts.ts";
import type { PriceBook } from "../price-book.ts";
import type { RefundRequest } from "../refund-requests.ts";
import type { Placement } from "../shop.ts";

/** A promise that the service did not keep. */
export interface Violation {
  /** 1 to 8: which invariant, as docs/decisions.md numbers them. */
  readonly invariant: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;
  readonly kind: "lost" | "duplicated" | "wrong_state" | "stuck";
  /** The order's number, when it is about one. */
  readonly order?: number | undefined;
  /** The refund request, when it is about one. */
  readonly ref?: string;
  readonly detail: string;
}

/** What a run leaves behind to judge it by. */
export interface Evidence {
  readonly facts: Facts;
  readonly placements: readonly Placement[];
  readonly requests: ReadonlyMap<string, RefundRequest>;
  /** What the inventory said, in a run that has one. */
  readonly prices?: Pick<PriceBook, "told" | "askedMs" | "refusals"> | undefined;
  /** What a reader saw that may not happen. */
  readonly seen: readonly { readonly order: number; readonly detail: string }[];
}

export type Invariant = (evidence: Evidence) => Violation[];

const PRODUCT = /^chaos-(\d+)$/;

/** The number of the order that is stored under `pk`. */
export function numberOf({ orders }: Facts, pk: string): number | undefined {
  const number = PRODUCT.exec(orders.get(pk)?.product_id ?? "")?.[1];
  return number === undefined ? undefined : Number(number);
}
