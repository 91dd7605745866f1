import type { MiddlewareObj } from "@middy/core";
import type { ApiEvent } from "./api.ts";
import { HttpError } from "./http-error.ts";

/** The largest order has a product id of 128 characters; JSON may escape each of them in 12 bytes. */
export const MAX_BODY_BYTES = 16_384;

/** RFC 9110 section 8.3.1: parameters may follow, with white space before them. The body parser would take `+json` too. */
const JSON_MEDIA_TYPE = /^application\/json[ \t]*(;|$)/i;

/** Refuses a body that is larger than any order or is not declared as JSON, before any of it is parsed. */
export const jsonRequest: MiddlewareObj<ApiEvent> = {
  before({ event }) {
    const body = typeof event.body === "string" ? event.body : "";
    if (Buffer.byteLength(body, event.isBase64Encoded ? "base64" : "utf8") > MAX_BODY_BYTES) {
      throw new HttpError("body_too_large");
    }
    if (!JSON_MEDIA_TYPE.test(event.headers["content-type"] ?? "")) throw new HttpError("unsupported_media_type");
    // No body is the empty text to the parser, which is not JSON; API Gateway leaves the field out.
    event.body = body;
  },
};
