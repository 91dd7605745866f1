import middy, { type MiddlewareObj } from "@middy/core";
import type { Context } from "aws-lambda";
import { logger, observed } from "./observability.ts";

type JobFunction<Event> = (event: Event, context: Context) => Promise<void>;

/**
 * The one middy stack of the functions that timers invoke. A failure is logged and thrown again, so that Lambda retries
 * the invocation and hands it to the on-failure destination when the retries end.
 */
export function job<Event>(jobFunction: JobFunction<Event>) {
  // Early replies are for clients: a job that runs out of time is cut off, and its retry goes on.
  return middy<Event, void>(jobFunction, { timeoutEarlyInMillis: 0 }).use(observed()).use(failures());
}

function failures<Event>(): MiddlewareObj<Event, void> {
  return {
    onError: ({ error }) => {
      logger.error("Invocation failed", { error: error ?? new Error("No error was given") });
    },
  };
}
