import { serviceMetric, waitingMessages } from "../metrics.js";
import { alarm } from "./alarm.js";

/** One is enough: each is something that gave up, and nobody else will look at it. */
const ANY = { minutes: 1, atLeast: 1, bad: [1, 1] };

export const deadLetterAlarms = (common) => ({
  UndeliveredCompletions: alarm({
    ...common,
    ...ANY,
    name: "undelivered-completions",
    says: "EventBridge Scheduler could not hand completions to Lambda.",
    section: "undelivered-completions",
    metric: waitingMessages("UndeliveredCompletions"),
    stat: "Maximum",
  }),
  FailedInvocations: alarm({
    ...common,
    ...ANY,
    name: "failed-invocations",
    says: "completeOrder, drainRefunds or sweepOrders failed, and so did Lambda's retries.",
    section: "failed-invocations",
    metric: waitingMessages("FailedInvocations"),
    stat: "Maximum",
  }),
  RefundDeadLetters: alarm({
    ...common,
    ...ANY,
    name: "refund-dead-letters",
    says: "Refund requests were refused and kept on the stream refund_order:dead.",
    section: "refund-dead-letters",
    metric: serviceMetric(common.stack, "RefundsDeadLettered"),
    stat: "Sum",
  }),
});
