import { randomBytes, randomUUID } from "node:crypto";
import { formatSecond } from "./expression.ts";
import type { Schedule } from "./schedule.ts";

export interface Payload {
  readonly text: string;
  readonly executionId: string;
}

/**
 * What the target gets at the given attempt (from 1): the schedule's Input with its context attributes replaced, or,
 * without an Input, the default event of EventBridge Scheduler, whose `detail` is the text `{}`.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
 */
export function payloadOf(schedule: Schedule, attempt: number): Payload {
  const executionId = randomBytes(8).toString("hex");
  const input = schedule.definition.Target.Input;
  if (input === undefined) return { text: JSON.stringify(defaultEvent(schedule)), executionId };
  const text = input
    .replaceAll("<aws.scheduler.schedule-arn>", schedule.arn)
    .replaceAll("<aws.scheduler.scheduled-time>", formatSecond(schedule.dueMs))
    .replaceAll("<aws.scheduler.execution-id>", executionId)
    .replaceAll("<aws.scheduler.attempt-number>", String(attempt));
  return { text, executionId };
}

function defaultEvent(schedule: Schedule) {
  return {
    version: "0",
    id: randomUUID(),
    "detail-type": "Scheduled Event",
    source: "aws.scheduler",
    account: schedule.lambda.account,
    time: formatSecond(schedule.dueMs),
    region: schedule.lambda.region,
    resources: [schedule.arn],
    detail: "{}",
  };
}
