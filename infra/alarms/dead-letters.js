import { serviceMetric, waitingMessages } from "../metrics.js";
import { alarm, KEEP_STATE } from "./alarm.js";

/**
 * One is enough: each is something that gave up, and nobody else will look at it. OK means that none is left, so missing
 * data does not end the alarm. SQS reports a queue for up to six hours after it was last used, whatever waits in it
 * (Amazon SQS Developer Guide, "Monitoring Amazon SQS queues using CloudWatch").
 */
const UNTIL_EMPTY = {
  statistic: "Maximum",
  period: 60,
  threshold: 1,
  datapointsToAlarm: 1,
  evaluationPeriods: 1,
  treatMissingData: KEEP_STATE,
};

export const deadLetterAlarms = (common) => ({
  UndeliveredCompletions: alarm({
    ...common,
    ...UNTIL_EMPTY,
    name: "undelivered-completions",
    description: "EventBridge Scheduler could not hand completions to Lambda.",
    section: "undelivered-completions",
    metric: waitingMessages("UndeliveredCompletions"),
  }),
  FailedInvocations: alarm({
    ...common,
    ...UNTIL_EMPTY,
    name: "failed-invocations",
    description: "completeOrder, drainRefunds or sweepOrders failed, and so did Lambda's retries.",
    section: "failed-invocations",
    metric: waitingMessages("FailedInvocations"),
  }),
  RefundDeadLetters: alarm({
    ...common,
    ...UNTIL_EMPTY,
    name: "refund-dead-letters",
    description: "Refused refund requests wait on the stream refund_order:dead.",
    section: "refund-dead-letters",
    metric: serviceMetric(common.stack, "RefundDeadLetters"),
  }),
});
