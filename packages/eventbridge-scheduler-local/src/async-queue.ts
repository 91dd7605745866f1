import { sleepUntil } from "./clock.ts";
import type { LambdaClient } from "./invoke.ts";
import type { Schedule } from "./schedule.ts";
import type { Tasks } from "./tasks.ts";

/** Lambda's defaults. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html */
const ATTEMPTS = 3;
const LONGEST_AGE_MS = 6 * 60 * 60 * 1000;

export interface AsyncQueueOptions {
  readonly lambda: LambdaClient;
  readonly tasks: Tasks;
  readonly retryDelayMs: (attempt: number) => number;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Lambda's queue of asynchronous events: an event whose function failed is tried up to twice more. */
export interface AsyncQueue {
  /** Takes over an event whose first run ended with `error`, and returns at once. */
  retry(schedule: Schedule, payload: string, error: string): void;
}

export function createAsyncQueue({ lambda, tasks, retryDelayMs, log, signal }: AsyncQueueOptions): AsyncQueue {
  async function work(schedule: Schedule, payload: string, firstError: string): Promise<void> {
    const queuedMs = Date.now();
    let error = firstError;
    let failures = 1;
    for (let attempt = 1; failures < ATTEMPTS && Date.now() - queuedMs < LONGEST_AGE_MS; attempt++) {
      if (!(await sleepUntil(Date.now() + retryDelayMs(attempt), signal))) return;
      const outcome = await lambda.invoke(schedule.lambda, payload);
      if (signal.aborted || outcome.kind === "done") return;
      error = outcome.message;
      // An endpoint that is away runs no function, so that it uses up no attempt, as Lambda's own faults do not.
      if (outcome.kind === "function-error") failures++;
    }
    log(`scheduler: function ${schedule.lambda.name} failed ${failures} times for ${schedule.arn}, given up: ${error}`);
  }

  return {
    retry(schedule, payload, error) {
      tasks.start(() => work(schedule, payload, error));
    },
  };
}
