import { OrderError } from "../errors.ts";
import { redacted } from "../redacted.ts";

/** Upstash refuses the token itself: sending the same again can only be refused again. */
const TOKEN_REFUSED = /^(WRONGPASS|NOPERM|NOAUTH|Unauthorized)/;

/** Whether it makes no sense to send the request again. */
export function isRefusal(error: unknown): boolean {
  return error instanceof OrderError && error.cause instanceof Error && TOKEN_REFUSED.test(error.cause.message);
}

/** What the Redis client threw as an error of the domain that is safe to log. */
export function redisFailure(error: unknown): OrderError {
  return new OrderError("redis_failed", { cause: redacted(error) });
}
