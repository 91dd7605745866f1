import type { MiddlewareObj } from "@middy/core";
import type { ApiEvent } from "./api.ts";
import { HttpError } from "./http-error.ts";

/** The largest order has a product id of 128 characters; JSON may escape each of them in 12 bytes. */
export const MAX_BODY_BYTES = 16_384;

/** Refuses a body that is larger than any order, before any of it is parsed. */
export const bodyLimit: MiddlewareObj<ApiEvent> = {
  before({ event }) {
    const body = typeof event.body === "string" ? event.body : "";
    if (Buffer.byteLength(body, event.isBase64Encoded ? "base64" : "utf8") > MAX_BODY_BYTES) {
      throw new HttpError("body_too_large");
    }
    // No body is the empty text to the parser, which is not JSON; API Gateway leaves the field out.
    event.body = body;
  },
};
