/** As `alarmsOf` and `conditionOf` describe an alarm; `section` is that of the guide which the alarm links to. */
export interface ExpectedAlarm {
  readonly section: string;
  readonly value: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly condition: string;
}

const FUNCTIONS = ["CreateOrder", "GetOrder", "Docs", "UnknownRoute", "CompleteOrder", "DrainRefunds", "SweepOrders"];
const POLLERS = ["DrainRefunds", "SweepOrders"];

const FEW_PERCENT = { dev: 5, prod: 1 };
const MANY_PERCENT = { dev: 50, prod: 20 };
const LATENCY_MS = { dev: 3000, prod: 1500 };

const RATE = "100 * part / whole";
const CLIENT_ERROR_RATE = "IF(requests >= 100, 100 * (client_errors - throttled) / requests, 0)";

/** What is counted: no data is no event. A level keeps its state without data: OK means that it is low, or gone. */
const TWO_OF_THREE = "2 of 3 in 300 s, else notBreaching";
const UNTIL_EMPTY = ">= 1, 1 of 1 in 60 s, else ignore";

/** Every alarm of a stack by its name without the stack's. */
export function expectedAlarms(stage: "dev" | "prod"): Record<string, ExpectedAlarm> {
  const few = `>= ${FEW_PERCENT[stage]}, ${TWO_OF_THREE}`;
  const many = `>= ${MANY_PERCENT[stage]}, ${TWO_OF_THREE}`;
  const orders = (name: string, stat: string) => `Orders ${name} service=orders-${stage} ${stat}`;
  const throttled = `Orders/orders-${stage} ThrottledRequests Sum`;
  const rate = (part: string, whole: string) => [RATE, { part, whole }] as const;
  const clientErrors = { client_errors: api("4xx", "Sum"), throttled, requests: api("Count", "Sum") };
  const throttles = Object.fromEntries(FUNCTIONS.map((id, index) => [`m${index}`, lambda("Throttles", id)]));
  const rows: Record<string, Row> = {
    "api-5xx-rate": alarm(few, ...rate(api("5xx", "Sum"), api("Count", "Sum"))),
    "api-4xx-rate": alarm(many, CLIENT_ERROR_RATE, clientErrors),
    "api-throttling": alarm(few, ...rate(throttled, api("Count", "Sum"))),
    "api-latency": alarm(`>= ${LATENCY_MS[stage]}, ${TWO_OF_THREE}`, api("Latency", "p99")),
    "overdue-orders": alarm(">= 1, 5 of 5 in 60 s, else ignore", orders("OverdueOrders", "Maximum")),
    "completion-lag": alarm(`>= 90000, ${TWO_OF_THREE}`, orders("CompletionLag", "p99")),
    "schedule-failures": alarm(few, ...rate(orders("ScheduleFailures", "Sum"), orders("OrdersCreated", "Sum"))),
    "redis-errors": alarm(few, ...rate(orders("RedisErrors", "Sum"), orders("RedisLatency", "SampleCount"))),
    "consumer-lag": alarm(">= 60000, 3 of 3 in 60 s, else ignore", orders("ConsumerLag", "Maximum")),
    "refund-backlog": alarm(">= 1, 10 of 10 in 60 s, else ignore", orders("RefundBacklog", "Minimum")),
    "refunds-trimmed": alarm(">= 1, 1 of 1 in 60 s, else notBreaching", orders("RefundsTrimmed", "Sum")),
    "refund-dead-letters": alarm(UNTIL_EMPTY, orders("RefundDeadLetters", "Maximum")),
    "undelivered-completions": alarm(UNTIL_EMPTY, queue("UndeliveredCompletions")),
    "failed-invocations": alarm(UNTIL_EMPTY, queue("FailedInvocations")),
    throttles: {
      section: "function-throttles",
      ...alarm(">= 1, 2 of 5 in 60 s, else notBreaching", "SUM(METRICS())", throttles),
    },
    ...each(FUNCTIONS, "errors", (id) => ({
      section: "function-errors",
      ...alarm(few, ...rate(lambda("Errors", id), lambda("Invocations", id))),
    })),
    ...each(POLLERS, "not-running", (id) => ({
      section: "poller-not-running",
      ...alarm("< 1, 1 of 1 in 300 s, else breaching", lambda("Invocations", id)),
    })),
  };
  return Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, { section: name, ...row }]));
}

/** Without a section: the one that has the name of the alarm. */
type Row = Omit<ExpectedAlarm, "section"> & Partial<Pick<ExpectedAlarm, "section">>;

const alarm = (condition: string, value: string, inputs: Row["inputs"] = {}): Row => ({ value, inputs, condition });

const reference = (to: string) => `\${${to}}`;
const api = (name: string, stat: string) => `AWS/ApiGateway ${name} ApiId=${reference("HttpApi")} ${stat}`;
const queue = (id: string) =>
  `AWS/SQS ApproximateNumberOfMessagesVisible QueueName=${reference(`${id}.QueueName`)} Maximum`;
const lambda = (name: string, id: string) => `AWS/Lambda ${name} FunctionName=${reference(`${id}LambdaFunction`)} Sum`;

const each = (ids: readonly string[], prefix: string, make: (id: string) => Row) =>
  Object.fromEntries(ids.map((id) => [`${prefix}-${id.charAt(0).toLowerCase()}${id.slice(1)}`, make(id)]));
