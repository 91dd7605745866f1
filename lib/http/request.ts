import * as z from "zod/mini";
import { type FieldError, ServiceError } from "../errors.ts";
import type { Caller } from "../orders/idempotency-key.ts";
import { OrderRequest } from "../orders/order-request.ts";

/**
 * Validates a parsed body as an order request.
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

/**
 * What a JWT authorizer adds to the request context (API Gateway Developer Guide, "Create AWS Lambda proxy integrations for
 * HTTP APIs", payload format 2.0). It is missing without an authorizer. On one machine it has no claims without a token.
 */
const Authorized = z.object({
  authorizer: z.optional(
    z.object({
      jwt: z.optional(z.object({ claims: z.optional(z.object({ iss: z.string(), sub: z.optional(z.string()) })) })),
    }),
  ),
});

/**
 * The caller that a request's JSON Web Token names; undefined without an authorizer. A local run passes on the claims of any
 * token unchecked, so claims without an issuer are ignored.
 */
export function parseCaller(requestContext: unknown): Caller | undefined {
  const claims = Authorized.safeParse(requestContext).data?.authorizer?.jwt?.claims;
  return claims && { issuer: claims.iss, subject: claims.sub };
}
