/** Every domain error, by code. `http/problem.ts` maps the codes to HTTP. */
const MESSAGES = {
  invalid_order: "The order is not valid.",
  idempotency_key_reused: "The Idempotency-Key was used before with a different order.",
  idempotency_key_in_use: "Another request with this Idempotency-Key is being processed.",
  order_not_found: "There is no order with this pk.",
  order_not_found_yet: "There is no order with this pk, but it may have just been placed.",
  order_deleted: "The order of this Idempotency-Key was deleted.",
  unknown_product: "The inventory has no such product.",
  inventory_failed: "The inventory did not return a price.",
  inventory_timed_out: "The inventory did not return a price in time.",
  redis_failed: "The Redis request failed.",
  redis_invalid_reply: "Redis sent an invalid reply.",
} as const;

export type ErrorCode = keyof typeof MESSAGES;

/** Why a field of the input is refused. `path` leads to the field, outermost name first. */
export interface FieldError {
  readonly path: readonly PropertyKey[];
  readonly detail: string;
}

/** A domain error. Callers distinguish them by `code`, never by message. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly code: ErrorCode;
  readonly fields: readonly FieldError[];

  constructor(code: ErrorCode, options: { cause?: unknown; fields?: readonly FieldError[] } = {}) {
    super(MESSAGES[code], options);
    this.code = code;
    this.fields = options.fields ?? [];
  }
}

/**
 * A copy of an error that is safe to log: names and messages of its whole cause chain, and no other property. Errors of
 * HTTP clients carry requests and replies in theirs.
 */
export function redacted(error: unknown): Error {
  if (!(error instanceof Error)) return new Error("A value that is not an Error was thrown");
  const cause = error.cause === undefined ? undefined : { cause: redacted(error.cause) };
  const safe = new Error(messageOf(error), cause);
  safe.name = error.name;
  return safe;
}

function messageOf(error: Error): string {
  // The JSON parser quotes the text around its mistake.
  if (error instanceof SyntaxError) return "Not JSON";
  // Connecting to a name with several addresses throws this. Only its parts have a message.
  if (error instanceof AggregateError) return error.errors.map((part) => redacted(part).message).join("; ");
  return error.message;
}
