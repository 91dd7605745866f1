import type { AsyncQueue } from "./async-queue.ts";
import { sleepUntil } from "./clock.ts";
import type { DeadLetters, ExhaustedRetryCondition, Failure } from "./dead-letters.ts";
import type { LambdaClient } from "./invoke.ts";
import { type Payload, payloadOf } from "./payload.ts";
import type { Schedule } from "./schedule.ts";

export interface DeliveryOptions {
  readonly lambda: LambdaClient;
  readonly queue: AsyncQueue;
  readonly deadLetters: DeadLetters;
  readonly retryDelayMs: (attempt: number) => number;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

export type Deliver = (schedule: Schedule) => Promise<void>;

/**
 * Hands a schedule's event to Lambda, again and again while the schedule's RetryPolicy allows. The promise resolves
 * when Lambda has the event, whether or not the function then fails, when the policy is exhausted, or at a stop.
 */
export function createDelivery(options: DeliveryOptions): Deliver {
  const { lambda, queue, deadLetters, retryDelayMs, log, signal } = options;

  return async function deliver(schedule) {
    const firstAttemptMs = Date.now();
    for (let attempt = 1; ; attempt++) {
      const payload = payloadOf(schedule, attempt);
      const outcome = await lambda.invoke(schedule.lambda, payload.text);
      if (signal.aborted) return;
      if (outcome.kind === "function-error") queue.retry(schedule, payload.text, outcome.message);
      if (outcome.kind !== "undelivered") {
        if (attempt > 1) log(`scheduler: ${schedule.arn} was delivered at attempt ${attempt}`);
        return;
      }
      const nextMs = Date.now() + retryDelayMs(attempt);
      const condition = exhausted(schedule, attempt, nextMs - firstAttemptMs);
      if (condition) {
        const { code, message } = outcome;
        const { executionId } = payload;
        return giveUp(schedule, payload, { code, message, executionId, condition, retries: attempt - 1 });
      }
      // The first failure only: what follows is the same line up to 185 times.
      if (attempt === 1)
        log(`scheduler: ${schedule.arn} could not be delivered, will be tried again: ${outcome.message}`);
      if (!(await sleepUntil(nextMs, signal))) return;
    }
  };

  function giveUp(schedule: Schedule, payload: Payload, failure: Failure): void {
    const queueArn = schedule.definition.Target.DeadLetterConfig?.Arn;
    if (queueArn) deadLetters.add(queueArn, schedule, payload.text, failure);
    const fate = queueArn ? `its event would go to the dead-letter queue ${queueArn}` : "it has no dead-letter queue";
    log(
      `scheduler: ${schedule.arn} was not delivered after ${failure.retries + 1} attempts ` +
        `(${failure.condition} is exhausted), ${fate}: ${failure.message}`,
    );
  }
}

function exhausted(schedule: Schedule, attempt: number, nextAgeMs: number): ExhaustedRetryCondition | undefined {
  const { MaximumRetryAttempts, MaximumEventAgeInSeconds } = schedule.definition.Target.RetryPolicy;
  if (attempt > MaximumRetryAttempts) return "MaximumRetryAttempts";
  if (nextAgeMs > MaximumEventAgeInSeconds * 1000) return "MaximumEventAgeInSeconds";
  return undefined;
}
