import { FUNCTIONS, ownArn, POLLERS } from "./functions.ts";
import {
  apiMetric,
  functionMetric,
  type Metric,
  serviceMetric,
  throttledRequests,
  waitingMessages,
} from "./metrics.ts";
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
  readonly comparisonOperator?: "GreaterThanOrEqualToThreshold" | "LessThanThreshold";
  readonly threshold: number;
  readonly datapointsToAlarm: number;
  readonly evaluationPeriods: number;
  /**
   * `notBreaching`, the default, is right for counts: no data means no events. A gauge keeps its state (`ignore`): missing data
   * does not mean that the problem is gone (CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data").
   */
  readonly treatMissingData?: "notBreaching" | "ignore" | "breaching";
  /** In seconds. */
  readonly period: number;
  /** The value that is compared with the threshold: one metric, or an expression over several. */
  readonly watched: readonly [Metric, statistic: string] | MetricMath;
}

interface MetricMath {
  readonly expression: string;
  /** By the id that the expression uses. */
  readonly inputs: Readonly<Record<string, readonly [Metric, statistic: string]>>;
}

/** With little traffic one failure is a large part of a period, so a single bad period raises no alarm. */
const TWO_OF_THREE = { period: 300, datapointsToAlarm: 2, evaluationPeriods: 3 };

/**
 * One is enough, because nothing retries a dead letter. The alarm lasts until none is left, so missing data does not end it:
 * six hours after its last use SQS stops reporting a queue, even if messages wait in it (Amazon SQS Developer Guide, "Monitoring
 * Amazon SQS queues using CloudWatch").
 */
const UNTIL_EMPTY = {
  severity: "ticket",
  threshold: 1,
  period: 60,
  datapointsToAlarm: 1,
  evaluationPeriods: 1,
  treatMissingData: "ignore",
} as const;

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

/** By name. `CompletionFailures` and `RefundFailures` need none: failed orders become overdue, and failed requests stay in the backlog. */
function alarmsOf(stack: string, parameters: Parameters): Record<string, Alarm> {
  const own = (name: string) => serviceMetric(stack, name);
  return {
    "api-5xx-rate": {
      severity: "page",
      description: `${parameters.alarm5xxPercent} % or more of the API's replies were 5xx.`,
      ...TWO_OF_THREE,
      threshold: parameters.alarm5xxPercent,
      watched: percent([apiMetric("5xx"), "Sum"], [apiMetric("Count"), "Sum"]),
    },
    "api-4xx-rate": {
      severity: "ticket",
      description: `${parameters.alarm4xxPercent} % or more of the API's replies were 4xx other than 429.`,
      ...TWO_OF_THREE,
      threshold: parameters.alarm4xxPercent,
      watched: {
        // With few requests one mistyped address is a large part of them. If one side of a subtraction has no value
        // CloudWatch takes 0 (CloudWatch User Guide, "Using math expressions with CloudWatch metrics").
        expression: `IF(requests >= ${parameters.alarm4xxMinRequests}, 100 * (client_errors - throttled) / requests, 0)`,
        inputs: {
          client_errors: [apiMetric("4xx"), "Sum"],
          throttled: [throttledRequests(stack), "Sum"],
          requests: [apiMetric("Count"), "Sum"],
        },
      },
    },
    "api-throttling": {
      severity: "page",
      description: `${parameters.alarm429Percent} % or more of the API's requests were refused with 429.`,
      ...TWO_OF_THREE,
      threshold: parameters.alarm429Percent,
      watched: percent([throttledRequests(stack), "Sum"], [apiMetric("Count"), "Sum"]),
    },
    "api-latency": {
      severity: "ticket",
      description: `The slowest 1 % of the API's replies took ${parameters.alarmLatencyMs} ms or more.`,
      ...TWO_OF_THREE,
      threshold: parameters.alarmLatencyMs,
      watched: [apiMetric("Latency"), "p99"],
    },
    "overdue-orders": {
      severity: "page",
      description: "Five sweeps in a row found orders that were still pending a minute after they were due.",
      // An occasional lost schedule is normal: the sweep completes its order.
      period: 60,
      datapointsToAlarm: 5,
      evaluationPeriods: 5,
      threshold: parameters.alarmOverdueOrders,
      treatMissingData: "ignore",
      watched: [own("OverdueOrders"), "Maximum"],
    },
    "completion-lag": {
      severity: "ticket",
      description: `1 % or more of the orders completed ${parameters.alarmCompletionLagMs} ms or more after they were due.`,
      ...TWO_OF_THREE,
      threshold: parameters.alarmCompletionLagMs,
      watched: [own("CompletionLag"), "p99"],
    },
    "schedule-failures": {
      severity: "ticket",
      description: `For ${parameters.alarmScheduleFailuresPercent} % or more of the new orders no schedule could be created.`,
      ...TWO_OF_THREE,
      threshold: parameters.alarmScheduleFailuresPercent,
      watched: percent([own("ScheduleFailures"), "Sum"], [own("OrdersCreated"), "Sum"]),
    },
    "redis-errors": {
      severity: "ticket",
      description: `${parameters.alarmRedisErrorsPercent} % or more of the calls to Redis failed, retried ones included.`,
      ...TWO_OF_THREE,
      threshold: parameters.alarmRedisErrorsPercent,
      // Every call has one latency.
      watched: percent([own("RedisErrors"), "Sum"], [own("RedisLatency"), "SampleCount"]),
    },
    "consumer-lag": {
      severity: "ticket",
      description:
        "The slowest consumer group of order_completed has half of the stream or more still to read or acknowledge.",
      period: 60,
      datapointsToAlarm: 3,
      evaluationPeriods: 3,
      threshold: Math.floor(parameters.completedStreamMaxLength / 2),
      treatMissingData: "ignore",
      watched: [own("ConsumerLag"), "Maximum"],
    },
    "refund-backlog": {
      severity: "page",
      description: "Ten drains in a row left refund requests behind: more arrive than are settled, or some cannot be.",
      period: 60,
      datapointsToAlarm: 10,
      evaluationPeriods: 10,
      threshold: parameters.alarmRefundBacklog,
      treatMissingData: "ignore",
      watched: [own("RefundBacklog"), "Minimum"],
    },
    "refunds-trimmed": {
      severity: "page",
      description: "Refund requests were trimmed from refund_order before they were settled: these refunds are lost.",
      period: 60,
      datapointsToAlarm: 1,
      evaluationPeriods: 1,
      threshold: 1,
      watched: [own("RefundsTrimmed"), "Sum"],
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
    // One alarm for all functions, because usually the account's concurrency has run out.
    throttles: {
      severity: "ticket",
      description:
        "Lambda refused invocations: the account's concurrency or a function's reserved concurrency is used up.",
      section: "function-throttles",
      period: 60,
      datapointsToAlarm: 2,
      evaluationPeriods: 5,
      threshold: 1,
      watched: {
        expression: "SUM(METRICS())",
        inputs: Object.fromEntries(
          FUNCTIONS.map((name, index) => [`m${index}`, [functionMetric(name, "Throttles"), "Sum"] as const]),
        ),
      },
    },
    ...perFunction(FUNCTIONS, "errors", (name) => ({
      severity: "ticket",
      description: `${parameters.alarmFunctionErrorsPercent} % or more of the invocations of ${name} crashed, timed out or failed.`,
      section: "function-errors",
      ...TWO_OF_THREE,
      threshold: parameters.alarmFunctionErrorsPercent,
      watched: percent([functionMetric(name, "Errors"), "Sum"], [functionMetric(name, "Invocations"), "Sum"]),
    })),
    ...perFunction(POLLERS, "not-running", (name) => ({
      severity: "page",
      description: `${name} was not invoked for 5 minutes. It runs every minute.`,
      section: "poller-not-running",
      period: 300,
      datapointsToAlarm: 1,
      evaluationPeriods: 1,
      comparisonOperator: "LessThanThreshold",
      threshold: 1,
      // Lambda reports no data when nothing runs.
      treatMissingData: "breaching",
      watched: [functionMetric(name, "Invocations"), "Sum"],
    })),
  };
}

/** Unlike a count, a percentage fits any amount of traffic. */
const percent = (part: readonly [Metric, string], whole: readonly [Metric, string]): MetricMath => ({
  expression: "100 * part / whole",
  inputs: { part, whole },
});

const perFunction = (names: readonly string[], prefix: string, alarm: (name: string) => Alarm) =>
  Object.fromEntries(names.map((name) => [`${prefix}-${name}`, alarm(name)]));

function alarmProperties(stack: string, docsUrl: string, name: string, alarm: Alarm) {
  const { severity, description, section = name, period, watched } = alarm;
  const actions = [{ Ref: TOPICS[severity] }];
  return {
    AlarmName: `${stack}-${severity}-${name}`,
    AlarmDescription: `${capitalized(severity)}: ${description} What to do: ${docsUrl}#${section}`,
    ComparisonOperator: alarm.comparisonOperator ?? "GreaterThanOrEqualToThreshold",
    Threshold: alarm.threshold,
    DatapointsToAlarm: alarm.datapointsToAlarm,
    EvaluationPeriods: alarm.evaluationPeriods,
    TreatMissingData: alarm.treatMissingData ?? "notBreaching",
    AlarmActions: actions,
    OKActions: actions,
    ...("expression" in watched ? metricMath(name, period, watched) : singleMetric(period, ...watched)),
  };
}

const singleMetric = (period: number, metric: Metric, statistic: string) => ({
  ...metricProperties(metric),
  ...(statistic.startsWith("p") ? { ExtendedStatistic: statistic } : { Statistic: statistic }),
  Period: period,
});

const metricMath = (name: string, period: number, { expression, inputs }: MetricMath) => ({
  Metrics: [
    { Id: "result", Expression: expression, Label: name, ReturnData: true },
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

const capitalized = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1);
