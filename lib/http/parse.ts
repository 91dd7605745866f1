import type * as z from "zod/mini";
import { type FieldError, OrderError } from "../errors.ts";
import { OrderRequest } from "../order-request.ts";

/**
 * The border to clients: a parsed body as an order request.
 * @throws OrderError `invalid_order`, with an entry for every field that is wrong
 */
export function parseOrderRequest(body: unknown): OrderRequest {
  const parsed = OrderRequest.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new OrderError("invalid_order", { fields: parsed.error.issues.flatMap(fieldErrors) });
}

function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code !== "unrecognized_keys") return [{ path: issue.path, detail: issue.message }];
  return issue.keys.map((key) => ({ path: [...issue.path, key], detail: "is not a field of an order" }));
}

/** RFC 8941 string: the form that the IETF draft gives the header; `\"` and `\\` are its only escapes. */
const STRUCTURED_STRING = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;

/** Many clients send the key bare. White space, quotes and commas are refused: two headers arrive joined by a comma. */
const BARE_KEY = /^[\x21\x23-\x2b\x2d-\x7e]*$/;

const MIN_KEY_LENGTH = 16;
const MAX_KEY_LENGTH = 255;

/**
 * The client's Idempotency-Key (IETF draft-ietf-httpapi-idempotency-key-header), quoted or bare: 16 to 255 characters.
 * @throws OrderError `invalid_idempotency_key`
 */
export function parseIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const quoted = STRUCTURED_STRING.exec(header)?.[1]?.replaceAll(/\\(["\\])/g, "$1");
  const key = quoted ?? (BARE_KEY.test(header) ? header : "");
  if (key.length < MIN_KEY_LENGTH || key.length > MAX_KEY_LENGTH) throw new OrderError("invalid_idempotency_key");
  return key;
}
