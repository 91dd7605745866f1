/** Every way in which the service refuses or fails, by code. What a code means over HTTP is said in `http/problem.ts`. */
const MESSAGES = {
  invalid_order: "The order is not valid.",
  invalid_idempotency_key: "The Idempotency-Key is not valid.",
  idempotency_key_reused: "The Idempotency-Key was used before with a different order.",
  idempotency_key_in_use: "Another request with this Idempotency-Key is being processed.",
  order_not_found: "There is no order with this pk.",
  unknown_product: "The inventory has no such product.",
  inventory_failed: "The inventory did not tell a price.",
  inventory_timed_out: "The inventory did not tell a price in time.",
  redis_failed: "Redis did not do what was asked.",
  redis_replied_nonsense: "Redis replied with something that is not what the command or script returns.",
} as const;

export type ErrorCode = keyof typeof MESSAGES;

/** One reason why a field of the input was refused. `path` leads to the field, outermost name first. */
export interface FieldError {
  readonly path: readonly PropertyKey[];
  readonly detail: string;
}

/** An error of the domain: callers tell them apart by `code`, never by message. */
export class OrderError extends Error {
  override readonly name = "OrderError";
  readonly code: ErrorCode;
  readonly fields: readonly FieldError[];

  constructor(code: ErrorCode, options: { cause?: unknown; fields?: readonly FieldError[] } = {}) {
    super(MESSAGES[code], options);
    this.code = code;
    this.fields = options.fields ?? [];
  }
}
