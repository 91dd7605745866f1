import { createHash } from "node:crypto";

/** Sorted set of the pks that still owe a completion, by due time in ms: the outbox of the completion timer. */
export const PENDING_KEY = "orders:pending";

/** Stream of completed orders, one entry an order. */
export const COMPLETED_STREAM = "order_completed";

/** Stream on which other services ask for refunds, its consumer group, and where refused requests are kept. */
export const REFUND_STREAM = "refund_order";
export const REFUND_GROUP = "payment-group";
export const DEAD_REFUND_STREAM = "refund_order:dead";

export const orderKey = (pk: string): string => `order:${pk}`;

/** Who sent a request: issuer and subject (RFC 7519 section 4.1) of its JSON Web Token. A token may have no subject. */
export interface Caller {
  readonly issuer: string;
  readonly subject: string | undefined;
}

/**
 * An Idempotency-Key belongs to its caller, where callers are known: two that choose the same key have two keys. The key is
 * hashed: it may be long, and it is the client's secret (who has it can read the order).
 */
export function idempotencyKeyKey(idempotencyKey: string, caller?: Caller): string {
  // JSON, so that no two callers and keys are the same text.
  const owned = caller ? JSON.stringify([caller.issuer, caller.subject ?? null, idempotencyKey]) : idempotencyKey;
  return `idempotency:${createHash("sha256").update(owned).digest("hex")}`;
}
