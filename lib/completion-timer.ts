import {
  ActionAfterCompletion,
  ConflictException,
  CreateScheduleCommand,
  FlexibleTimeWindowMode,
  SchedulerClient,
} from "@aws-sdk/client-scheduler";
import type { SchedulerEnv } from "./env/scheduler.ts";
import type { DueOrder } from "./orders/complete-orders.ts";

/** One attempt may take so long until it is answered; two of them and their pause take 2.5 s. */
const ATTEMPT_TIMEOUT_MS = 1_000;
const ATTEMPTS = 2;

/** All of it: the attempt's limit ends with the reply's headers, and a `retry-after` may ask for any pause. */
const TIMEOUT_MS = 2_500;

/** AWS refuses a time that has passed; Redis and the inventory may have taken that long before. */
const LEAD_MS = 1_500;

/** Scheduler's own retries of a delivery. The sweep completes the order long before they end. */
const RETRY_POLICY = { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 900 };

export interface CompletionTimer {
  /**
   * Has `completeOrder` invoked once the order is due.
   * @param due in ms since the epoch; rounded up to the second, so that it is never early. AWS fires within 60 s after
   *   that (EventBridge Scheduler user guide, "Schedule types")
   * @throws the SDK's error, after its retries
   */
  schedule(pk: string, due: number): Promise<void>;
}

/** The timer on EventBridge Scheduler: one one-time schedule an order, which deletes itself once it has fired. */
export function completionTimer(env: SchedulerEnv): CompletionTimer {
  const client = new SchedulerClient({
    maxAttempts: ATTEMPTS,
    requestHandler: {
      connectionTimeout: ATTEMPT_TIMEOUT_MS,
      requestTimeout: ATTEMPT_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  });

  async function schedule(pk: string, due: number): Promise<void> {
    const order: DueOrder = { pk };
    const command = new CreateScheduleCommand({
      Name: pk,
      ClientToken: pk,
      GroupName: env.SCHEDULE_GROUP,
      ScheduleExpression: atExpression(Math.max(due, Date.now() + LEAD_MS)),
      ScheduleExpressionTimezone: "UTC",
      FlexibleTimeWindow: { Mode: FlexibleTimeWindowMode.OFF },
      ActionAfterCompletion: ActionAfterCompletion.DELETE,
      Target: {
        Arn: env.SCHEDULE_TARGET_ARN,
        RoleArn: env.SCHEDULE_ROLE_ARN,
        Input: JSON.stringify(order),
        RetryPolicy: RETRY_POLICY,
        DeadLetterConfig: { Arn: env.SCHEDULE_DEAD_LETTER_ARN },
      },
    });
    try {
      await client.send(command, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch (error) {
      // The name is the order's pk, so a conflict is this very schedule, made by an attempt whose reply was lost.
      if (!(error instanceof ConflictException)) throw error;
    }
  }

  return { schedule };
}

/** `at(yyyy-MM-ddTHH:mm:ss)` in UTC, the first whole second that is not before `due`. */
export function atExpression(due: number): string {
  const second = new Date(Math.ceil(due / 1_000) * 1_000).toISOString().slice(0, "yyyy-MM-ddTHH:mm:ss".length);
  return `at(${second})`;
}
