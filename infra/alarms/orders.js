import { serviceMetric } from "../metrics.js";
import { alarm, rateAlarm } from "./alarm.js";

export const orderAlarms = (common, thresholds) => ({
  OverdueOrders: alarm({
    ...common,
    name: "overdue-orders",
    says: "Five sweeps in a row found orders that nothing had completed a minute after they were due.",
    section: "overdue-orders",
    metric: serviceMetric(common.stack, "OverdueOrders"),
    stat: "Maximum",
    minutes: 1,
    atLeast: thresholds.overdueOrders,
    // A schedule that is lost now and then is ordinary, and the sweep is there for it.
    bad: [5, 5],
  }),
  CompletionLag: alarm({
    ...common,
    name: "completion-lag",
    says: `1 % or more of the orders completed ${thresholds.completionLagMs} ms or more after they were due.`,
    section: "completion-lag",
    metric: serviceMetric(common.stack, "CompletionLag"),
    stat: "p99",
    minutes: 5,
    atLeast: thresholds.completionLagMs,
    bad: [2, 3],
  }),
  ScheduleFailures: rateAlarm({
    ...common,
    name: "schedule-failures",
    says: `For ${thresholds.scheduleFailuresPercent} % or more of the new orders no schedule could be made.`,
    section: "schedule-failures",
    part: serviceMetric(common.stack, "ScheduleFailures"),
    whole: serviceMetric(common.stack, "OrdersCreated"),
    percent: thresholds.scheduleFailuresPercent,
  }),
  RedisErrors: rateAlarm({
    ...common,
    name: "redis-errors",
    says: `${thresholds.redisErrorsPercent} % or more of the calls to Redis failed, those that were retried among them.`,
    section: "redis-errors",
    part: serviceMetric(common.stack, "RedisErrors"),
    whole: serviceMetric(common.stack, "RedisLatency"),
    // Every call has one latency.
    wholeStat: "SampleCount",
    percent: thresholds.redisErrorsPercent,
  }),
  RefundBacklog: alarm({
    ...common,
    name: "refund-backlog",
    says: "Refund requests were left at the end of ten drains in a row: more come than are settled.",
    section: "refund-backlog",
    metric: serviceMetric(common.stack, "RefundBacklog"),
    stat: "Minimum",
    minutes: 1,
    atLeast: thresholds.refundBacklog,
    bad: [10, 10],
  }),
});
