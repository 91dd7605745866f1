import { ErrorReply } from "@redis/client";

const INTEGER = /^(0|-?[1-9]\d*)$/;

/** The outcome of a command: the reply of Redis, or the text of its error. */
export type Outcome = { readonly result: unknown } | { readonly error: string };

/**
 * An error of a whole request, which gets `{"error": message}` and an HTTP status.
 * `message` starts with an error code of Redis ("ERR ...", "NOPERM ..."), as clients expect.
 */
export class UpstashError extends Error {
  override readonly name = "UpstashError";
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/**
 * The JSON text of an outcome, `{"result":…}` or `{"error":…}`. It is built as text so that integers keep 64 bits, which
 * JSON.stringify does not support. Errors are never encoded.
 */
export function encodeOutcome(outcome: Outcome, base64: boolean): string {
  if ("error" in outcome) return encodeError(outcome.error);
  // Only this status, and not inside an array: the client decodes every other string.
  const result = outcome.result === "OK" ? '"OK"' : encodeReply(outcome.result, base64);
  return `{"result":${result}}`;
}

/** `{"error":…}` */
export function encodeError(message: string): string {
  return JSON.stringify({ error: message });
}

/**
 * The JSON text of a RESP2 reply whose bulk strings are Buffers and whose integers and statuses are strings. Plain
 * strings have their invalid UTF-8 replaced by U+FFFD, as https://upstash.com/docs/redis/features/restapi says.
 */
function encodeReply(reply: unknown, base64: boolean): string {
  if (reply === null) return "null";
  if (Array.isArray(reply)) return `[${reply.map((item) => encodeReply(item, base64)).join(",")}]`;
  if (reply instanceof ErrorReply) return JSON.stringify(reply.message);
  if (Buffer.isBuffer(reply)) return JSON.stringify(reply.toString(base64 ? "base64" : "utf8"));
  if (typeof reply !== "string") throw new TypeError(`unexpected ${typeof reply} in a RESP2 reply`);
  // No status of the server is all digits, so digits are an integer. (A script could create one with redis.status_reply.)
  if (INTEGER.test(reply)) return reply;
  return encodeReply(Buffer.from(reply), base64);
}
