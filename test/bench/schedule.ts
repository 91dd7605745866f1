import { functionEnvironment } from "../lambda/environment.ts";

const environment = functionEnvironment({ name: "", upstashUrl: "", schedulerUrl: "", inventoryUrl: "", skewMs: 0 });

/** The body of the CreateSchedule that `createOrder` makes (lib/completion-timer.ts). */
export function completionSchedule(pk: string, due: number): Record<string, unknown> {
  const second = new Date(Math.ceil(due / 1_000) * 1_000).toISOString().slice(0, "yyyy-MM-ddTHH:mm:ss".length);
  return {
    ActionAfterCompletion: "DELETE",
    ClientToken: pk,
    FlexibleTimeWindow: { Mode: "OFF" },
    GroupName: environment.SCHEDULE_GROUP,
    ScheduleExpression: `at(${second})`,
    ScheduleExpressionTimezone: "UTC",
    Target: {
      Arn: environment.SCHEDULE_TARGET_ARN,
      RoleArn: environment.SCHEDULE_ROLE_ARN,
      Input: JSON.stringify({ pk }),
      RetryPolicy: { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 900 },
      DeadLetterConfig: { Arn: environment.SCHEDULE_DEAD_LETTER_ARN },
    },
  };
}
