import { serviceMetric } from "../metrics.js";
import { alarm, KEEP_STATE, rateAlarm, TWO_OF_THREE } from "./alarm.js";

/**
 * None for `CompletionFailures` and `RefundFailures`: such an order becomes overdue and such a request stays in the backlog,
 * and those alarms last until it is gone.
 */
export const orderAlarms = (common, thresholds) => ({
  OverdueOrders: alarm({
    ...common,
    name: "overdue-orders",
    description: "Five sweeps in a row found orders that nothing had completed a minute after they were due.",
    section: "overdue-orders",
    metric: serviceMetric(common.stack, "OverdueOrders"),
    statistic: "Maximum",
    period: 60,
    threshold: thresholds.overdueOrders,
    // A schedule that is lost now and then is ordinary, and the sweep is there for it.
    datapointsToAlarm: 5,
    evaluationPeriods: 5,
    treatMissingData: KEEP_STATE,
  }),
  CompletionLag: alarm({
    ...common,
    ...TWO_OF_THREE,
    name: "completion-lag",
    description: `1 % or more of the orders completed ${thresholds.completionLagMs} ms or more after they were due.`,
    section: "completion-lag",
    metric: serviceMetric(common.stack, "CompletionLag"),
    statistic: "p99",
    threshold: thresholds.completionLagMs,
  }),
  ScheduleFailures: rateAlarm({
    ...common,
    name: "schedule-failures",
    description: `For ${thresholds.scheduleFailuresPercent} % or more of the new orders no schedule could be made.`,
    section: "schedule-failures",
    part: serviceMetric(common.stack, "ScheduleFailures"),
    whole: serviceMetric(common.stack, "OrdersCreated"),
    threshold: thresholds.scheduleFailuresPercent,
  }),
  RedisErrors: rateAlarm({
    ...common,
    name: "redis-errors",
    description: `${thresholds.redisErrorsPercent} % or more of the calls to Redis failed, retried ones included.`,
    section: "redis-errors",
    part: serviceMetric(common.stack, "RedisErrors"),
    whole: serviceMetric(common.stack, "RedisLatency"),
    // Every call has one latency.
    wholeStatistic: "SampleCount",
    threshold: thresholds.redisErrorsPercent,
  }),
  ConsumerLag: alarm({
    ...common,
    name: "consumer-lag",
    description: "The slowest consumer group of order_completed has half of the stream or more still to read.",
    section: "consumer-lag",
    metric: serviceMetric(common.stack, "ConsumerLag"),
    statistic: "Maximum",
    period: 60,
    threshold: Math.floor(thresholds.completedStreamMaxLength / 2),
    // Until a new group has caught up once, Redis may not know its lag, and the length of the stream counts.
    datapointsToAlarm: 3,
    evaluationPeriods: 3,
    treatMissingData: KEEP_STATE,
  }),
  RefundBacklog: alarm({
    ...common,
    name: "refund-backlog",
    description: "Ten drains in a row left refund requests behind: more arrive than are settled, or some cannot be.",
    section: "refund-backlog",
    metric: serviceMetric(common.stack, "RefundBacklog"),
    statistic: "Minimum",
    period: 60,
    threshold: thresholds.refundBacklog,
    datapointsToAlarm: 10,
    evaluationPeriods: 10,
    treatMissingData: KEEP_STATE,
  }),
  RefundsTrimmed: alarm({
    ...common,
    name: "refunds-trimmed",
    description: "Somebody trimmed refund requests from refund_order before they were settled: these refunds are lost.",
    section: "refunds-trimmed",
    metric: serviceMetric(common.stack, "RefundsTrimmed"),
    statistic: "Sum",
    period: 60,
    threshold: 1,
    datapointsToAlarm: 1,
    evaluationPeriods: 1,
  }),
});
