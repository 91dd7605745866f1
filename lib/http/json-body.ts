import type { ApiEvent } from "./api.ts";
import { HttpError } from "./problem.ts";

/** The largest order has a product id of 128 characters, and JSON may escape each of them in 12 bytes. */
export const MAX_BODY_BYTES = 16_384;

/** Parameters may follow, after white space (RFC 9110 section 8.3.1). */
const JSON_MEDIA_TYPE = /^application\/json[ \t]*(;|$)/i;
const OTHER_CHARSET = /;[ \t]*charset=(?!"?utf-?8"?[ \t]*(;|$))/i;
const NO_CODING = /^(identity)?$/i;

/** The character by which a decoder replaces bytes that are not valid UTF-8. */
const REPLACEMENT_CHARACTER = "\ufffd";

/**
 * The body of a request, parsed as JSON (RFC 8259).
 *
 * It refuses text with a replacement character: API Gateway decodes a body that is declared as JSON before it puts it into
 * the event, so bytes that are not valid UTF-8 arrive as this character (measured on AWS in
 * https://github.com/ministackorg/ministack/pull/766). JSON can still have it as the escape `\ufffd`.
 * @throws HttpError `body_too_large`, `unsupported_media_type`, `malformed_json`
 */
export function parseJsonBody({ body: given, headers, isBase64Encoded }: ApiEvent): unknown {
  // Without a body, API Gateway leaves the field out, and serverless-offline writes null.
  const body = given ?? "";
  if (Buffer.byteLength(body, isBase64Encoded ? "base64" : "utf8") > MAX_BODY_BYTES) {
    throw new HttpError("body_too_large");
  }
  const type = headers["content-type"] ?? "";
  if (!JSON_MEDIA_TYPE.test(type) || OTHER_CHARSET.test(type)) throw new HttpError("unsupported_media_type");
  if (!NO_CODING.test(headers["content-encoding"] ?? "")) {
    // RFC 9110 section 12.5.3: with this header the reason is the encoding, not the media type.
    throw new HttpError("unsupported_media_type", { "accept-encoding": "identity" });
  }
  const text = isBase64Encoded ? Buffer.from(body, "base64").toString() : body;
  if (text.includes(REPLACEMENT_CHARACTER)) throw new HttpError("malformed_json");
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError("malformed_json");
  }
}
