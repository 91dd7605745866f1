import {
  ActionAfterCompletion,
  ConflictException,
  CreateScheduleCommand,
  FlexibleTimeWindowMode,
  SchedulerClient,
} from "@aws-sdk/client-scheduler";
import * as z from "zod/mini";
import type { DueOrder } from "../orders/complete-orders.ts";
import type { CompletionScheduler } from "../orders/place-order.ts";

/** The time-out of one attempt. Two attempts and the pause between them take 2.5 s. */
const ATTEMPT_TIMEOUT_MS = 1_000;

const ATTEMPTS = 2;

/** The time-out of both attempts together: that of one attempt does not cover the reply's body, nor the pause of `retry-after`. */
const TIMEOUT_MS = 2_500;

/** AWS refuses a time in the past, and Redis and the inventory may have taken a while. */
const LEAD_MS = 1_500;

/** Scheduler's own retries of a delivery. The sweep completes the order long before they end. */
const RETRY_POLICY = { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 900 };

/** What `createOrder` needs to create schedules. The AWS SDK reads region, credentials and endpoint by itself. */
export const SchedulerEnv = z.object({
  SCHEDULE_GROUP: z.string().check(z.minLength(1)),
  SCHEDULE_TARGET_ARN: z.string().check(z.startsWith("arn:")),
  SCHEDULE_ROLE_ARN: z.string().check(z.startsWith("arn:")),
  SCHEDULE_DEAD_LETTER_ARN: z.string().check(z.startsWith("arn:")),
});

export type SchedulerEnv = z.infer<typeof SchedulerEnv>;

/**
 * EventBridge Scheduler with one one-time schedule per order, which is deleted after it fires. The time is rounded up to the
 * second, so that it is never early. AWS fires within 60 s after that (EventBridge Scheduler user guide, "Schedule types").
 * It throws the SDK's error, after its retries.
 */
export function createCompletionScheduler(env: SchedulerEnv): CompletionScheduler {
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
      // The name is the pk, so a conflict means that an attempt whose reply was lost has created this schedule.
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
