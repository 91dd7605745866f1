import { randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "./clock.ts";
import { formatSecond } from "./expression.ts";
import type { LambdaRetries } from "./lambda-retries.ts";
import type { Schedule } from "./schedule.ts";
import type { TargetClient } from "./targets.ts";
import type { Deliver } from "./timers.ts";

/** Enough to find a cause, and a bound on memory when everything fails for a night. */
const MAX_DEAD_LETTERS = 1000;

interface DeliveryOptions {
  readonly client: TargetClient;
  readonly clock: Clock;
  readonly retries: LambdaRetries;
  readonly deadLetters: DeadLetters;
  readonly retryDelayMs: (attempt: number) => number;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

interface Payload {
  readonly text: string;
  readonly executionId: string;
}

type ExhaustedRetryCondition = "MaximumRetryAttempts" | "MaximumEventAgeInSeconds";

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly executionId: string;
  /** Undefined for an error that is not retried. */
  readonly condition: ExhaustedRetryCondition | undefined;
  readonly dueMs: number;
  /** Attempts after the first. */
  readonly retries: number;
}

/**
 * A message as it would lie in the schedule's queue: the payload, and the attributes that EventBridge Scheduler adds.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
 */
interface DeadLetter {
  readonly queueArn: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Dead letters, oldest first, kept in memory: there is no SQS here. */
export interface DeadLetters {
  add(queueArn: string, schedule: Schedule, body: string, failure: Failure): void;
  list(): readonly DeadLetter[];
}

/**
 * Delivers a schedule's event to Lambda, with the retries of the schedule's RetryPolicy, but none after a permanent error. The
 * promise resolves when Lambda has the event (even if the function then fails), when it is given up, or at a stop.
 */
export function createDelivery(options: DeliveryOptions): Deliver {
  const { client, clock, retries, deadLetters, retryDelayMs, log, signal } = options;

  return async function deliver(schedule, dueMs) {
    const firstAttemptMs = clock.now();
    for (let attempt = 1; ; attempt++) {
      const payload = payloadOf(schedule, dueMs, attempt);
      const outcome = await client.send(schedule.target, payload.text);
      if (signal.aborted) return;
      if (outcome.kind === "function-error") retries.retry(schedule, payload.text, outcome.message);
      if (outcome.kind !== "undelivered") {
        if (attempt > 1) log(`scheduler: ${schedule.arn} was delivered at attempt ${attempt}`);
        return;
      }
      const nextMs = clock.now() + retryDelayMs(attempt);
      const condition = outcome.permanent ? undefined : exhausted(schedule, attempt, nextMs - firstAttemptMs);
      if (outcome.permanent || condition) {
        const { code, message } = outcome;
        const { executionId } = payload;
        return giveUp(schedule, payload, { code, message, executionId, condition, dueMs, retries: attempt - 1 });
      }
      // Only the first failure, because up to 185 retries would log the same line.
      if (attempt === 1)
        log(`scheduler: ${schedule.arn} could not be delivered and will be retried: ${outcome.message}`);
      if (!(await clock.sleepUntil(nextMs, signal))) return;
    }
  };

  function giveUp(schedule: Schedule, payload: Payload, failure: Failure): void {
    const queueArn = schedule.definition.Target.DeadLetterConfig?.Arn;
    if (queueArn) deadLetters.add(queueArn, schedule, payload.text, failure);
    const fate = queueArn ? `its event would go to the dead-letter queue ${queueArn}` : "it has no dead-letter queue";
    log(
      `scheduler: ${schedule.arn} was not delivered after ${failure.retries + 1} attempts ` +
        `(${failure.condition ? `${failure.condition} is exhausted` : "such an error is not retried"}), ${fate}: ${failure.message}`,
    );
  }
}

export function createDeadLetters(): DeadLetters {
  const letters: DeadLetter[] = [];

  function add(queueArn: string, schedule: Schedule, body: string, failure: Failure): void {
    const attributes = {
      ERROR_CODE: failure.code,
      ERROR_MESSAGE: failure.message,
      EXECUTION_ID: failure.executionId,
      ...(failure.condition && { EXHAUSTED_RETRY_CONDITION: failure.condition }),
      IS_PAYLOAD_TRUNCATED: "false", // an Input is at most 256 KB, a message of SQS 1 MB
      RETRY_ATTEMPTS: String(failure.retries),
      SCHEDULED_TIME: formatSecond(failure.dueMs),
      SCHEDULE_ARN: schedule.arn,
      TARGET_ARN: schedule.definition.Target.Arn,
    };
    letters.push({ queueArn, body, attributes });
    if (letters.length > MAX_DEAD_LETTERS) letters.shift();
  }

  return { add, list: () => letters };
}

function exhausted(schedule: Schedule, attempt: number, nextAgeMs: number): ExhaustedRetryCondition | undefined {
  const { MaximumRetryAttempts, MaximumEventAgeInSeconds } = schedule.definition.Target.RetryPolicy;
  if (attempt > MaximumRetryAttempts) return "MaximumRetryAttempts";
  if (nextAgeMs > MaximumEventAgeInSeconds * 1000) return "MaximumEventAgeInSeconds";
  return undefined;
}

/**
 * The event at the given attempt (from 1): the schedule's Input with its context attributes replaced, or,
 * without an Input, the default event of EventBridge Scheduler, whose `detail` is the text `{}`.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
 */
function payloadOf(schedule: Schedule, dueMs: number, attempt: number): Payload {
  const executionId = randomBytes(8).toString("hex");
  const input = schedule.definition.Target.Input;
  if (input === undefined) return { text: JSON.stringify(defaultEvent(schedule, dueMs)), executionId };
  const text = input
    .replaceAll("<aws.scheduler.schedule-arn>", schedule.arn)
    .replaceAll("<aws.scheduler.scheduled-time>", formatSecond(dueMs))
    .replaceAll("<aws.scheduler.execution-id>", executionId)
    .replaceAll("<aws.scheduler.attempt-number>", String(attempt));
  return { text, executionId };
}

function defaultEvent(schedule: Schedule, dueMs: number) {
  return {
    version: "0",
    id: randomUUID(),
    "detail-type": "Scheduled Event",
    source: "aws.scheduler",
    account: schedule.account,
    time: formatSecond(dueMs),
    region: schedule.region,
    resources: [schedule.arn],
    detail: "{}",
  };
}
