import * as z from "zod/mini";
import { type FieldError, OrderError } from "../errors.ts";
import { OrderRequest } from "../order-request.ts";
import type { Caller } from "../redis/keys.ts";

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

/**
 * A quoted string and the parameters that may follow it (RFC 9651 sections 3.1.2 and 3.3.3): the form that the IETF draft
 * gives the header. `\"` and `\\` are the only escapes.
 */
const STRUCTURED_STRING =
  /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(?:; *[a-z*][a-z0-9_.*-]*(?:=(?:%?"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"|[\x21\x23-\x2b\x2d-\x3a\x3c-\x7e]+))?)*$/;

/** Many clients send the key bare. White space, quotes and commas are refused: two headers arrive joined by a comma. */
const BARE_KEY = /^[\x21\x23-\x2b\x2d-\x7e]*$/;

const MIN_KEY_LENGTH = 16;
const MAX_KEY_LENGTH = 255;

/**
 * The client's Idempotency-Key (IETF draft-ietf-httpapi-idempotency-key-header), quoted or bare: 16 to 255 characters.
 * Parameters are ignored: the draft defines none, and RFC 9651 section 2.3 discourages refusing unknown ones.
 * @throws OrderError `invalid_idempotency_key`
 */
export function parseIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const quoted = STRUCTURED_STRING.exec(header)?.[1]?.replaceAll(/\\(["\\])/g, "$1");
  const key = quoted ?? (BARE_KEY.test(header) ? header : "");
  if (key.length < MIN_KEY_LENGTH || key.length > MAX_KEY_LENGTH) throw new OrderError("invalid_idempotency_key");
  return key;
}

/**
 * What a JWT authorizer adds to the request context (API Gateway Developer Guide, "Create AWS Lambda proxy integrations for
 * HTTP APIs", payload format 2.0). Without an authorizer nothing is there; on one machine there are no claims without a token.
 */
const Authorized = z.object({
  authorizer: z.optional(
    z.object({
      jwt: z.optional(z.object({ claims: z.optional(z.object({ iss: z.string(), sub: z.optional(z.string()) })) })),
    }),
  ),
});

/**
 * Who sent a request, by its JSON Web Token; undefined where none is asked for. A local run hands over the claims of any token,
 * unchecked: without an issuer they name nobody.
 */
export function parseCaller(requestContext: unknown): Caller | undefined {
  const claims = Authorized.safeParse(requestContext).data?.authorizer?.jwt?.claims;
  return claims && { issuer: claims.iss, subject: claims.sub };
}
