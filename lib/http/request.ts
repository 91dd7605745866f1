import type { MiddlewareObj } from "@middy/core";
import httpJsonBodyParser from "@middy/http-json-body-parser";
import * as z from "zod/mini";
import { ServiceError } from "../errors.ts";
import type { Caller } from "../orders/idempotency-key.ts";
import { parseOrderRequest } from "../orders/order-request.ts";
import type { ApiEvent, ApiReply } from "./api.ts";
import { HttpError } from "./problem.ts";

/** The largest order has a product id of 128 characters, and JSON may escape each of them in 12 bytes. */
export const MAX_BODY_BYTES = 16_384;

/** Parameters may follow, after white space (RFC 9110 section 8.3.1). */
const JSON_MEDIA_TYPE = /^application\/json[ \t]*(;|$)/i;
const OTHER_CHARSET = /;[ \t]*charset=(?!"?utf-?8"?[ \t]*(;|$))/i;
const NO_CODING = /^(identity)?$/i;

/** The character by which a decoder replaces bytes that are not valid UTF-8. */
const REPLACEMENT_CHARACTER = "\ufffd";

const ParserError = z.object({ cause: z.object({ package: z.literal("@middy/http-json-body-parser") }) });

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
 * Checks what the JSON parser does not check, and turns its errors into problems.
 *
 * It refuses text with a replacement character: API Gateway decodes a body that is declared as JSON before it puts it into
 * the event, so bytes that are not valid UTF-8 arrive as this character (measured on AWS in
 * https://github.com/ministackorg/ministack/pull/766). JSON can still have it as the escape `\ufffd`.
 */
const guard: MiddlewareObj<ApiEvent, ApiReply> = {
  before({ event }) {
    const { headers, isBase64Encoded } = event;
    // Without a body, API Gateway leaves the field out, and serverless-offline writes null.
    const body = Buffer.from(event.body ?? "", isBase64Encoded ? "base64" : "utf8");
    if (body.length > MAX_BODY_BYTES) throw new HttpError("body_too_large");
    const type = headers["content-type"] ?? "";
    if (!JSON_MEDIA_TYPE.test(type) || OTHER_CHARSET.test(type)) throw new HttpError("unsupported_media_type");
    if (!NO_CODING.test(headers["content-encoding"] ?? "")) {
      // RFC 9110 section 12.5.3: with this header the reason is the encoding, not the media type.
      throw new HttpError("unsupported_media_type", { "accept-encoding": "identity" });
    }
    Object.assign(event, { body: body.toString(), isBase64Encoded: false });
    if (event.body?.includes(REPLACEMENT_CHARACTER)) throw new HttpError("malformed_json");
  },
  onError(request) {
    if (!ParserError.safeParse(request.error).success) return;
    try {
      // The parser refuses some JSON, too: fields such as `__proto__`, and thousands of levels. No order has them.
      parseOrderRequest(JSON.parse(request.event.body ?? ""));
    } catch (error) {
      request.error = error instanceof ServiceError ? error : new HttpError("malformed_json");
    }
  },
};

/** Parses the body of an order as JSON (RFC 8259), and leaves the result in `event.body`. */
export const jsonBody = [guard, httpJsonBodyParser<ApiEvent>({ disableContentTypeCheck: true })];

/**
 * The client's Idempotency-Key (IETF draft-ietf-httpapi-idempotency-key-header), quoted or bare: 16 to 255 characters.
 * Parameters are ignored: the draft defines none, and RFC 9651 section 2.3 discourages refusing unknown ones.
 * @throws HttpError `invalid_idempotency_key`
 */
export function parseIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const quoted = STRUCTURED_STRING.exec(header)?.[1]?.replaceAll(/\\(["\\])/g, "$1");
  const key = quoted ?? (BARE_KEY.test(header) ? header : "");
  if (key.length < MIN_KEY_LENGTH || key.length > MAX_KEY_LENGTH) throw new HttpError("invalid_idempotency_key");
  return key;
}

/**
 * The caller that a request's JSON Web Token names; undefined without an authorizer. A local run passes on the claims of any
 * token unchecked, so claims without an issuer are ignored.
 */
export function parseCaller(requestContext: unknown): Caller | undefined {
  const claims = Authorized.safeParse(requestContext).data?.authorizer?.jwt?.claims;
  return claims && { issuer: claims.iss, subject: claims.sub };
}
