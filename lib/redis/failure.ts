import { OrderError } from "../errors.ts";
import { redacted } from "../redacted.ts";

/** The client puts the command, with all its arguments, behind this. */
const COMMAND_IN_MESSAGE = /, command was: [\s\S]*$/;

/** The client quotes the first 200 characters of a body that is not JSON. */
const BODY_IN_MESSAGE = /^(Unable to parse response body): [\s\S]*$/;

/** Upstash refuses the token itself: sending the same again can only be refused again. */
const TOKEN_REFUSED = /^(WRONGPASS|NOPERM|NOAUTH|Unauthorized)/;

/** Whether it makes no sense to send the request again. */
export function isRefusal(error: unknown): boolean {
  return error instanceof OrderError && error.cause instanceof Error && TOKEN_REFUSED.test(error.cause.message);
}

/**
 * Turns what the Redis client threw into a domain error that is safe to log: the messages of the whole cause chain lose
 * commands, arguments and bodies.
 */
export function redisFailure(error: unknown): OrderError {
  return new OrderError("redis_failed", { cause: redacted(error, withoutCommand) });
}

const withoutCommand = (message: string): string =>
  message.replace(COMMAND_IN_MESSAGE, "").replace(BODY_IN_MESSAGE, "$1");
