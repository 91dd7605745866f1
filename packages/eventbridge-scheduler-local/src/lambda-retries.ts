import type { Clock } from "./clock.ts";
import type { Schedule } from "./schedule.ts";
import type { TargetClient } from "./targets.ts";
import type { BackgroundTasks } from "./timers.ts";

/** Lambda's defaults. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html */
const ATTEMPTS = 3;
const MAX_AGE_MS = 6 * 60 * 60 * 1000;

export interface LambdaRetriesOptions {
  readonly client: TargetClient;
  readonly clock: Clock;
  readonly tasks: BackgroundTasks;
  readonly retryDelayMs: (attempt: number) => number;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Lambda's queue of asynchronous events: an event whose function failed is tried up to twice more. */
export interface LambdaRetries {
  /** Retries an event whose first run failed with `error`. Returns at once. */
  retry(schedule: Schedule, payload: string, error: string): void;
}

export function createLambdaRetries(options: LambdaRetriesOptions): LambdaRetries {
  const { client, clock, tasks, retryDelayMs, log, signal } = options;

  async function work(schedule: Schedule, payload: string, firstError: string): Promise<void> {
    const queuedMs = clock.now();
    let error = firstError;
    let failures = 1;
    for (let attempt = 1; failures < ATTEMPTS && clock.now() - queuedMs < MAX_AGE_MS; attempt++) {
      if (!(await clock.sleepUntil(clock.now() + retryDelayMs(attempt), signal))) return;
      const outcome = await client.send(schedule.target, payload);
      if (signal.aborted || outcome.kind === "done") return;
      error = outcome.message;
      // If the endpoint is down, the function does not run, so this is not an attempt; Lambda treats its own failures the same.
      if (outcome.kind === "function-error") failures++;
    }
    log(`scheduler: function ${schedule.target.name} failed ${failures} times for ${schedule.arn}: ${error}`);
  }

  return {
    retry(schedule, payload, error) {
      tasks.start(() => work(schedule, payload, error));
    },
  };
}
