import { atExpression } from "../../lib/completion-timer.ts";
import { functionEnvironment } from "../lambda/environment.ts";

const environment = functionEnvironment({ name: "", upstashUrl: "", schedulerUrl: "", inventoryUrl: "", skewMs: 0 });
const ALL_FUNCTIONS = environment.SCHEDULE_TARGET_ARN?.replace(/[^:]+$/, "");

/**
 * The body of the CreateSchedule that `createOrder` makes (lib/completion-timer.ts).
 * @param functionName what it invokes, by default `completeOrder`
 */
export function completionSchedule(pk: string, due: number, functionName = "completeOrder"): Record<string, unknown> {
  return {
    ActionAfterCompletion: "DELETE",
    ClientToken: pk,
    FlexibleTimeWindow: { Mode: "OFF" },
    GroupName: environment.SCHEDULE_GROUP,
    ScheduleExpression: atExpression(due),
    ScheduleExpressionTimezone: "UTC",
    Target: {
      Arn: `${ALL_FUNCTIONS}${functionName}`,
      RoleArn: environment.SCHEDULE_ROLE_ARN,
      Input: JSON.stringify({ pk }),
      RetryPolicy: { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 900 },
      DeadLetterConfig: { Arn: environment.SCHEDULE_DEAD_LETTER_ARN },
    },
  };
}
