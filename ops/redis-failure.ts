import { isRefusal } from "../lib/redis/failure.ts";
import { Failure } from "./failure.ts";

/**
 * What a person can do about a call to Redis that failed, in one line.
 * @param url the REST address that was called
 * @param error as `redisFailure` makes it, without command and token; it is the cause
 * @param remedy which variables to set, and to what
 */
export function redisTrouble(url: string, error: unknown, remedy: string): Failure {
  const reason = innermost(error);
  const fault = reason.startsWith("NOPERM")
    ? `The token may only read at ${url}`
    : isRefusal(error)
      ? `The token is refused at ${url}`
      : `No Redis does its part at ${url} (${reason})`;
  return new Failure(`${fault}: ${remedy}`, { cause: error });
}

function innermost(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : innermost(error.cause);
}
