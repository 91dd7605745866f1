import { formatSecond } from "./expression.ts";
import type { Schedule } from "./schedule.ts";

/** Enough for any look at what went wrong, and a bound on memory when a whole night goes wrong. */
const KEPT = 1000;

export type ExhaustedRetryCondition = "MaximumRetryAttempts" | "MaximumEventAgeInSeconds";

/**
 * A message as it would lie in the schedule's queue: the payload, and the attributes that EventBridge Scheduler adds.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
 */
export interface DeadLetter {
  readonly queueArn: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly executionId: string;
  readonly condition: ExhaustedRetryCondition;
  /** Attempts after the first. */
  readonly retries: number;
}

/** Dead letters, oldest first, kept in memory: there is no SQS here. */
export interface DeadLetters {
  add(queueArn: string, schedule: Schedule, body: string, failure: Failure): void;
  list(): readonly DeadLetter[];
}

export function createDeadLetters(): DeadLetters {
  const letters: DeadLetter[] = [];

  function add(queueArn: string, schedule: Schedule, body: string, failure: Failure): void {
    const attributes = {
      ERROR_CODE: failure.code,
      ERROR_MESSAGE: failure.message,
      EXECUTION_ID: failure.executionId,
      EXHAUSTED_RETRY_CONDITION: failure.condition,
      RETRY_ATTEMPTS: String(failure.retries),
      SCHEDULED_TIME: formatSecond(schedule.dueMs),
      SCHEDULE_ARN: schedule.arn,
      TARGET_ARN: schedule.definition.Target.Arn,
    };
    letters.push({ queueArn, body, attributes });
    if (letters.length > KEPT) letters.shift();
  }

  return { add, list: () => letters };
}
