import { ErrorReply } from "redis";

const INTEGER = /^(0|-?[1-9]\d*)$/;

/** One command's outcome: what Redis replied, or the text of its error. */
export type Outcome = { readonly result: unknown } | { readonly error: string };

/**
 * A whole request that is answered with `{"error": message}` and an HTTP status instead of replies.
 * `message` starts with an error code as Redis writes it ("ERR ...", "NOPERM ..."), since clients read it that way.
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
 * The JSON text of an outcome, `{"result":…}` or `{"error":…}`. It is built as text because an integer keeps all of its
 * 64 bits: JSON.stringify would have to make a double of it. Errors are plain whatever the encoding.
 */
export function encodeOutcome(outcome: Outcome, base64: boolean): string {
  if ("error" in outcome) return encodeError(outcome.error);
  // Only this status, and only by itself: the client decodes every other string, one inside an array too.
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
  // No server status is all digits, so digits are an integer. (A script could make one with redis.status_reply.)
  if (INTEGER.test(reply)) return reply;
  return encodeReply(Buffer.from(reply), base64);
}
