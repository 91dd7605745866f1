import { isRefusal } from "../lib/redis/failure.ts";
import { Failure } from "./failure.ts";

/** Redis begins its errors with a word in capitals: WRONGTYPE, OOM, ERR. */
const ERROR_REPLY = /^[A-Z]{3,} /;

/**
 * What a person can do about a call to Redis that failed, in one line.
 * @param url the REST address that was called
 * @param error as `redisFailure` makes it, without command and token; it is the cause
 * @param remedy which variables to set, and to what
 */
export function redisTrouble(url: string, error: unknown, remedy: string): Failure {
  const reason = innermost(error);
  if (reason.startsWith("NOPERM")) return failure(`The token may only read at ${url}: ${remedy}`);
  if (isRefusal(error)) return failure(`The token is refused at ${url}: ${remedy}`);
  // It was reached and said no: no other address or token would help.
  if (ERROR_REPLY.test(reason)) return failure(`Redis did not do what was asked: ${reason}`);
  return failure(`No Redis does its part at ${url} (${reason}): ${remedy}`);

  function failure(message: string): Failure {
    return new Failure(message, { cause: error });
  }
}

function innermost(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : innermost(error.cause);
}
