import { capitalized, ownArn } from "./logical-ids.ts";
import { accessLogMetric, apiMetric, type Metric, serviceMetric, waitingMessages } from "./metrics.ts";
import type { Parameters } from "./parameters.ts";

/**
 * `page`: customers are affected now and it does not heal by itself, so someone must look at once. `ticket`: someone must look
 * on the next working day. Each severity has a topic, named here by its logical id.
 */
const TOPICS = { page: "Pages", ticket: "Tickets" } as const;
type Severity = keyof typeof TOPICS;

/** The settings of an alarm, by CloudWatch's names. */
interface Alarm {
  readonly severity: Severity;
  /** One sentence for the person who receives it. */
  readonly description: string;
  /** The section of docs/operations.md, if that is not the alarm's name. */
  readonly section?: string;
  readonly threshold: number;
  readonly datapointsToAlarm: number;
  readonly evaluationPeriods: number;
  /**
   * `notBreaching`, the default, is right for counts: no data means no events. For a gauge missing data does not mean that the
   * problem is gone: it keeps its state (`ignore`), or it is the alarm (CloudWatch User Guide, "Configuring how CloudWatch
   * alarms treat missing data").
   */
  readonly treatMissingData?: "notBreaching" | "ignore" | "breaching";
  /** How long after its creation the alarm is not evaluated. */
  readonly warmUpMinutes?: number;
  /** In seconds. */
  readonly period: number;
  /** The value that is compared with the threshold: one metric, or an expression over several. */
  readonly watched: readonly [Metric, statistic: string] | MetricMath;
}

interface MetricMath {
  /** By id, in the order in which they use each other. The alarm compares the last one with its threshold. */
  readonly expressions: Readonly<Record<string, string>>;
  /** By the id that expressions use. */
  readonly inputs: Readonly<Record<string, readonly [Metric, statistic: string]>>;
}

const MINUTE = 60;
const HOUR = 3_600;

/** How many times faster than the objective allows the error budget of 30 days burns (Google, "The Site Reliability Workbook", chapter 5). */
const BURN = {
  /** In 5 minutes a thousandth of the time and a twentieth and more of what is allowed in it: 0.6 % of the budget. */
  fast: 50,
  /** In one hour 2 % of the budget. */
  slow: 14.4,
  /** In six hours 5 % of the budget. */
  ticket: 6,
} as const;

/** Fewer failures than this say nothing about a rate. */
const MIN_FAILED_REQUESTS = 5;
const MIN_LATE_ORDERS = 10;
const MIN_REQUESTS = 100;

/**
 * The window slides: each minute the last three disjoint periods of 5 minutes are compared (CloudWatch User Guide, "Alarm
 * evaluation window"). So a burst of two minutes may be a part of two of them.
 */
const TWO_OF_THREE = { period: 5 * MINUTE, datapointsToAlarm: 2, evaluationPeriods: 3 };

/** Four of the twelve periods of the last hour. It fires for a stage with little traffic too: four failures in an hour are enough. */
const FOUR_OF_TWELVE = { period: 5 * MINUTE, datapointsToAlarm: 4, evaluationPeriods: 12 };

/**
 * One is enough, because nothing retries a dead letter. The alarm lasts until none is left, so missing data does not end it:
 * six hours after its last use SQS stops reporting a queue, even if messages wait in it (Amazon SQS Developer Guide, "Monitoring
 * Amazon SQS queues using CloudWatch").
 */
const UNTIL_EMPTY = {
  severity: "ticket",
  threshold: 1,
  period: MINUTE,
  datapointsToAlarm: 1,
  evaluationPeriods: 1,
  treatMissingData: "ignore",
} as const;

/**
 * For gauges whose writer may die. No data is the alarm then, but not before the writer had time to start: CloudWatch evaluates
 * an alarm from its creation on, which CloudFormation may do minutes before it creates the writer's schedule (CloudWatch User
 * Guide, "Alarm warm-up periods").
 */
const DEAD_MAN = { treatMissingData: "breaching", warmUpMinutes: 10 } as const;

/**
 * The pages that take a deploy back while CloudFormation watches it, which takes at most five alarms. `failed-requests-slow` needs
 * longer than that.
 */
export const ROLLBACK_ALARMS = ["failed-requests", "late-orders", "overdue-orders", "refund-backlog", "entries-lost"];

/** Every alarm of a stage, their topics and the subscribers. */
export function alarmStack(stack: string, parameters: Parameters) {
  const { docsUrl, alarmEmail, ticketEmail } = parameters;
  const addresses = { page: alarmEmail, ticket: ticketEmail ?? alarmEmail };
  const alarms = Object.entries(alarmsOf(stack, parameters)).map(([name, alarm]) => [
    `${name.split("-").map(capitalized).join("")}Alarm`,
    { Type: "AWS::CloudWatch::Alarm", Properties: alarmProperties(stack, docsUrl, name, alarm) },
  ]);
  const severities = ["page", "ticket"] as const;
  return {
    Resources: {
      ...Object.fromEntries(alarms),
      ...Object.assign({}, ...severities.map((severity) => topic(stack, severity, addresses[severity]))),
    },
    Outputs: {
      PagesTopic: { Description: "Alarms to look at now: subscribe to it", Value: { Ref: TOPICS.page } },
      TicketsTopic: {
        Description: "Alarms to look at on the next working day: subscribe to it",
        Value: { Ref: TOPICS.ticket },
      },
    },
  };
}

/**
 * By name. Pages are for what customers and partners notice: failed requests, late orders and refunds, lost messages. Causes have
 * no alarm of their own. Invocations that fail or are throttled fail requests, make orders late, or end in a dead-letter queue.
 */
function alarmsOf(stack: string, parameters: Parameters): Record<string, Alarm> {
  const own = (name: string) => serviceMetric(stack, name);
  const accepted = burnRates(parameters.acceptedObjectivePercent);
  const inTime = burnRates(parameters.inTimeObjectivePercent);
  return {
    "failed-requests": {
      severity: "page",
      description: `In 5 minutes ${accepted.fast} % or more of the new orders, or of all requests, failed with 5xx or 429.`,
      period: 5 * MINUTE,
      datapointsToAlarm: 1,
      evaluationPeriods: 1,
      threshold: accepted.fast,
      watched: failedRequests(stack, {}),
    },
    "failed-requests-slow": {
      severity: "page",
      description: `In 4 of the last 12 periods of 5 minutes ${accepted.slow} % or more of the new orders, or of all requests, failed with 5xx or 429.`,
      section: "failed-requests",
      ...FOUR_OF_TWELVE,
      threshold: accepted.slow,
      // One outage, one page.
      watched: failedRequests(stack, { slow: `IF(fast >= ${accepted.fast}, 0, worst)` }),
    },
    "late-orders": {
      severity: "page",
      description: `${inTime.fast} % or more of the orders completed more than ${inTimeMs(parameters)} ms after they were due.`,
      // An outage of Redis makes the orders late that were due in it. They are in one of the periods.
      ...TWO_OF_THREE,
      threshold: inTime.fast,
      watched: lateOrders(stack, parameters),
    },
    "late-orders-slow": {
      severity: "ticket",
      description: `In six hours ${inTime.ticket} % or more of the orders completed more than ${inTimeMs(parameters)} ms after they were due.`,
      section: "late-orders",
      period: 6 * HOUR,
      datapointsToAlarm: 1,
      evaluationPeriods: 1,
      threshold: inTime.ticket,
      watched: lateOrders(stack, parameters),
    },
    "overdue-orders": {
      severity: "page",
      description: "Orders stay pending although they are due, or nobody looks for such orders.",
      ...DEAD_MAN,
      ...(parameters.completion === "sweep" ? SWEEP_ONLY : SWEEP_AS_SAFETY_NET),
      period: MINUTE,
      threshold: 1,
      watched: {
        expressions: OVERDUE[parameters.completion],
        inputs: {
          overdue: [own("OverdueOrders"), "Maximum"],
          ...(parameters.completion === "scheduler" && { completed: [own("OrdersCompleted"), "Sum"] as const }),
        },
      },
    },
    "refund-backlog": {
      severity: "page",
      description: "For 10 minutes every run of drainRefunds left refund requests behind, or none ended.",
      ...DEAD_MAN,
      period: MINUTE,
      datapointsToAlarm: 10,
      evaluationPeriods: 10,
      threshold: 1,
      watched: {
        expressions: { result: "FILL(backlog, 1)" },
        inputs: { backlog: [own("RefundBacklog"), "Minimum"] },
      },
    },
    "entries-lost": {
      severity: "page",
      description: "Entries of a stream were trimmed before they were read: refund requests, or completed orders.",
      // An hour, so that a loss now and then is one page. Without the 0 the alarm would go on for more than that: while the latest
      // data points are missing, older ones are compared.
      period: HOUR,
      datapointsToAlarm: 1,
      evaluationPeriods: 1,
      threshold: 1,
      watched: {
        expressions: { result: "FILL(refunds + announcements, 0)" },
        inputs: { refunds: [own("RefundsTrimmed"), "Sum"], announcements: [own("AnnouncementsLost"), "Sum"] },
      },
    },
    "api-4xx-rate": {
      severity: "ticket",
      description: `${parameters.alarm4xxPercent} % or more of the API's replies were 4xx other than 429.`,
      ...TWO_OF_THREE,
      threshold: parameters.alarm4xxPercent,
      watched: {
        // With few requests one mistyped address is a large part of them.
        expressions: {
          result: `IF(requests >= ${MIN_REQUESTS}, 100 * (client_errors - throttled) / requests, 0)`,
        },
        inputs: {
          client_errors: [apiMetric("4xx"), "Sum"],
          throttled: [accessLogMetric(stack, "ThrottledRequests"), "Sum"],
          requests: [apiMetric("Count"), "Sum"],
        },
      },
    },
    "api-latency": {
      severity: "ticket",
      description: `The slowest 1 % of the API's replies took ${parameters.alarmLatencyMs} ms or more.`,
      ...TWO_OF_THREE,
      threshold: parameters.alarmLatencyMs,
      watched: {
        // With fewer it is the slowest one, usually a cold start.
        expressions: { result: `IF(requests >= ${MIN_REQUESTS}, latency, 0)` },
        inputs: { latency: [apiMetric("Latency"), "p99"], requests: [apiMetric("Count"), "Sum"] },
      },
    },
    "redis-errors": {
      severity: "ticket",
      description: `${parameters.alarmRedisErrorsPercent} % or more of the calls to Redis failed, retried ones included.`,
      ...TWO_OF_THREE,
      threshold: parameters.alarmRedisErrorsPercent,
      watched: {
        expressions: { result: `IF(errors >= ${MIN_FAILED_REQUESTS}, 100 * errors / calls, 0)` },
        // Every call has one latency.
        inputs: { errors: [own("RedisErrors"), "Sum"], calls: [own("RedisLatency"), "SampleCount"] },
      },
    },
    "consumer-lag": {
      severity: "ticket",
      description: "The slowest consumer group of order_completed has not finished half of the stream or more.",
      period: MINUTE,
      datapointsToAlarm: 3,
      evaluationPeriods: 3,
      threshold: Math.floor(parameters.completedStreamMaxLength / 2),
      treatMissingData: "ignore",
      watched: [own("ConsumerLag"), "Maximum"],
    },
    "refund-dead-letters": {
      ...UNTIL_EMPTY,
      description: "Refused refund requests wait on the stream refund_order:dead.",
      watched: [own("RefundDeadLetters"), "Maximum"],
    },
    "undelivered-completions": {
      ...UNTIL_EMPTY,
      description: "EventBridge Scheduler could not deliver completions to Lambda.",
      watched: [waitingMessages("UndeliveredCompletions"), "Maximum"],
    },
    "failed-invocations": {
      ...UNTIL_EMPTY,
      description: "An asynchronous invocation failed, and so did Lambda's retries.",
      watched: [waitingMessages("FailedInvocations"), "Maximum"],
    },
  };
}

/** Percentages that must not fail: a multiple of what the objective allows. */
function burnRates(objectivePercent: number) {
  const percent = (rate: number) => Number((rate * (100 - objectivePercent)).toFixed(2));
  return { fast: percent(BURN.fast), slow: percent(BURN.slow), ticket: percent(BURN.ticket) };
}

/**
 * The part of the new orders that failed, or of all requests if that is more: ten reads per order hide many failed orders. Clients'
 * mistakes are not counted. If one side of `+` has no value, CloudWatch takes 0; a division by 0 has no value, and in a
 * comparison that is 0 (CloudWatch User Guide, "Using math expressions with CloudWatch metrics").
 */
const failedRequests = (stack: string, more: MetricMath["expressions"]): MetricMath => ({
  expressions: {
    failed: "errors + throttled",
    orders: "100 * failed_orders / (failed_orders + created + replayed)",
    all: "100 * failed / requests",
    worst: "IF(orders > all, orders, all)",
    fast: `IF(failed >= ${MIN_FAILED_REQUESTS}, worst, 0)`,
    ...more,
  },
  inputs: {
    errors: [apiMetric("5xx"), "Sum"],
    throttled: [accessLogMetric(stack, "ThrottledRequests"), "Sum"],
    requests: [apiMetric("Count"), "Sum"],
    failed_orders: [accessLogMetric(stack, "FailedOrders"), "Sum"],
    created: [serviceMetric(stack, "OrdersCreated"), "Sum"],
    replayed: [serviceMetric(stack, "OrdersReplayed"), "Sum"],
  },
});

/** EventBridge Scheduler may be 60 s late, and a second is rounded up. What the sweep repairs is later. */
const inTimeMs = ({ completion }: Parameters) => (completion === "sweep" ? 5_000 : 65_000);

/** `PR(:n)` is the percentage of the values up to n (CloudWatch User Guide, "CloudWatch statistics definitions"). */
const lateOrders = (stack: string, parameters: Parameters): MetricMath => ({
  expressions: {
    late: "100 - in_time",
    late_enough: `IF(late * completed >= ${100 * MIN_LATE_ORDERS}, late, 0)`,
    // Without the 0, an alarm repeats on a stage where no order completes afterwards: older data points are compared then.
    result: "FILL(late_enough, 0)",
  },
  inputs: {
    in_time: [serviceMetric(stack, "CompletionLag"), `PR(:${inTimeMs(parameters)})`],
    completed: [serviceMetric(stack, "CompletionLag"), "SampleCount"],
  },
});

/** Without the sweep nothing completes: one minute may be a slow run. */
const SWEEP_ONLY = { datapointsToAlarm: 3, evaluationPeriods: 3 };

const SWEEP_AS_SAFETY_NET = { datapointsToAlarm: 5, evaluationPeriods: 5 };

/**
 * A minute without data counts as one overdue order, unless schedules complete orders: then the sweep is missed by nobody, and its
 * failures are a ticket.
 */
const OVERDUE = {
  sweep: { result: "FILL(overdue, 1)" },
  scheduler: { seen: "FILL(overdue, -1)", result: "IF(seen + completed >= 0, overdue + 0 * seen, 1)" },
} as const;

function alarmProperties(stack: string, docsUrl: string, name: string, alarm: Alarm) {
  const { severity, description, section = name, period, warmUpMinutes, watched } = alarm;
  const actions = [{ Ref: TOPICS[severity] }];
  return {
    AlarmName: `${stack}-${severity}-${name}`,
    AlarmDescription: `${capitalized(severity)}: ${description} What to do: ${docsUrl}#${section}`,
    ComparisonOperator: "GreaterThanOrEqualToThreshold",
    Threshold: alarm.threshold,
    DatapointsToAlarm: alarm.datapointsToAlarm,
    EvaluationPeriods: alarm.evaluationPeriods,
    TreatMissingData: alarm.treatMissingData ?? "notBreaching",
    AlarmActions: actions,
    OKActions: actions,
    ...(warmUpMinutes && {
      WarmUpConfiguration: {
        WarmUpPeriodDurationInMinutes: warmUpMinutes,
        OnlyStartEvaluatingAfterWarmUpPeriodEnds: true,
      },
    }),
    ...("expressions" in watched ? metricMath(period, watched) : singleMetric(period, ...watched)),
  };
}

const singleMetric = (period: number, metric: Metric, statistic: string) => ({
  ...metricProperties(metric),
  Statistic: statistic,
  Period: period,
});

const metricMath = (period: number, { expressions, inputs }: MetricMath) => ({
  Metrics: [
    ...Object.entries(expressions).map(([Id, Expression], index, all) => ({
      Id,
      Expression,
      Label: Id,
      ReturnData: index === all.length - 1,
    })),
    ...Object.entries(inputs).map(([Id, [metric, Stat]]) => ({
      Id,
      MetricStat: { Metric: metricProperties(metric), Period: period, Stat },
      ReturnData: false,
    })),
  ],
});

const metricProperties = ({ namespace, name, dimensions }: Metric) => ({
  Namespace: namespace,
  MetricName: name,
  Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value: { "Fn::Sub": Value } })),
});

/**
 * A topic that only this stage's alarms of its severity may publish to. It is not encrypted: CloudWatch cannot publish to a
 * topic that is encrypted with AWS's own key, and alarms hold no secret (CloudWatch User Guide, "Using Amazon CloudWatch
 * alarms").
 */
function topic(stack: string, severity: Severity, email: string) {
  const id = TOPICS[severity];
  const statement = {
    Effect: "Allow",
    Principal: { Service: "cloudwatch.amazonaws.com" },
    Action: "sns:Publish",
    Resource: { Ref: id },
    Condition: {
      StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } },
      ArnLike: { "aws:SourceArn": ownArn("cloudwatch", `alarm:${stack}-${severity}-*`) },
    },
  };
  return {
    [id]: { Type: "AWS::SNS::Topic", Properties: { DisplayName: `${stack} ${severity}` } },
    [`${id}Policy`]: {
      Type: "AWS::SNS::TopicPolicy",
      Properties: {
        Topics: [{ Ref: id }],
        PolicyDocument: { Version: "2012-10-17", Statement: [statement] },
      },
    },
    ...(email.includes("@") && {
      [`${id}Email`]: {
        Type: "AWS::SNS::Subscription",
        Properties: { TopicArn: { Ref: id }, Protocol: "email", Endpoint: email },
      },
    }),
  };
}
