import middy, { type MiddlewareObj } from "@middy/core";
import type { Context } from "aws-lambda";
import { logger, telemetry } from "./telemetry.ts";

type JobFunction<Event> = (event: Event, context: Context) => Promise<void>;

/**
 * The middy stack of the functions that schedules invoke. A failure is logged and rethrown, so that Lambda retries the
 * invocation and then sends it to the on-failure destination.
 */
export function job<Event>(jobFunction: JobFunction<Event>) {
  // No early reply: nobody waits for it, and a retry continues the work.
  return middy<Event, void>(jobFunction, { timeoutEarlyInMillis: 0 }).use(telemetry()).use(failures());
}

function failures<Event>(): MiddlewareObj<Event, void> {
  return {
    onError: ({ error }) => {
      logger.error("Invocation failed", { error: error ?? new Error("Unknown error") });
    },
  };
}
