import * as z from "zod/mini";
import { type FieldError, ServiceError } from "../errors.ts";

export const MAX_QUANTITY = 1_000_000;
export const MAX_PRODUCT_ID_LENGTH = 128;

const CONTROL_CHARACTER = /\p{Cc}/u;
const NOT_WHOLE = "must be a whole number, or one in digits";
const DOT_SEGMENT = /(^|[/\\])\.\.?($|[/\\])/;

/** The reason to refuse a value, or that there is none. */
const orMissing =
  (reason: string) =>
  ({ input }: { readonly input?: unknown }) =>
    input === undefined ? "is required" : reason;

/**
 * A product's id: 1 to 128 characters, no control characters, well-formed Unicode. Dot segments (`.` and `..`, as in
 * `../x`) are refused because the id becomes a path segment of the inventory's URLs, and no encoding keeps a URL parser
 * from resolving them (RFC 3986 section 5.2.4, WHATWG URL).
 */
const ProductId = z.string({ error: orMissing("must be a string") }).check(
  z.minLength(1, "must not be empty"),
  z.maxLength(MAX_PRODUCT_ID_LENGTH, `must have at most ${MAX_PRODUCT_ID_LENGTH} characters`),
  z.refine((id) => !CONTROL_CHARACTER.test(id), "must not contain control characters"),
  z.refine((id) => id.isWellFormed(), "must be well-formed Unicode"),
  z.refine((id) => !DOT_SEGMENT.test(id), "must not contain the path segments . and .."),
);

/** How many units: a whole number, also as a string of digits, because HTML forms send strings. */
const Quantity = z.pipe(
  z.transform((value: unknown) => (typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value)),
  // Not z.int: it also refuses whole numbers beyond 2^53, so 10^30 would get two reasons, one of them wrong.
  z
    .number({ error: orMissing(NOT_WHOLE) })
    .check(
      z.multipleOf(1, NOT_WHOLE),
      z.minimum(1, "must be at least 1"),
      z.maximum(MAX_QUANTITY, `must be at most ${MAX_QUANTITY}`),
    ),
);

/** What a shop sends to place an order. */
export const OrderRequest = z.strictObject({ id: ProductId, quantity: Quantity }, "must be a JSON object");
export type OrderRequest = z.infer<typeof OrderRequest>;

/**
 * Validates what a client sent, of any type, as an order request.
 * @throws ServiceError `invalid_order`, with an entry for every invalid field
 */
export function parseOrderRequest(body: unknown): OrderRequest {
  const parsed = OrderRequest.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new ServiceError("invalid_order", { fields: parsed.error.issues.flatMap(fieldErrors) });
}

function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code !== "unrecognized_keys") return [{ path: issue.path, detail: issue.message }];
  return issue.keys.map((key) => ({ path: [...issue.path, key], detail: "is not a field of an order" }));
}
