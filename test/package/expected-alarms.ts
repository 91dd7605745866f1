/** What an alarm is to look at: `metrics` as `namespace name dimension=value statistic`, the section of the guide it links to. */
export interface ExpectedAlarm {
  readonly section: string;
  readonly metrics: readonly string[];
}

const FUNCTIONS = ["CreateOrder", "GetOrder", "Docs", "UnknownRoute", "CompleteOrder", "DrainRefunds", "SweepOrders"];

const POLLERS = ["DrainRefunds", "SweepOrders"];

/** Every alarm of a stack by its name without the stack's. */
export function expectedAlarms(stack: string): Record<string, ExpectedAlarm> {
  return {
    "api-5xx-rate": expected("api-5xx-rate", api("5xx", "Sum"), api("Count", "Sum")),
    "api-latency": expected("api-latency", api("Latency", "p99")),
    "overdue-orders": expected("overdue-orders", orders(stack, "OverdueOrders", "Maximum")),
    "completion-lag": expected("completion-lag", orders(stack, "CompletionLag", "p99")),
    "schedule-failures": expected(
      "schedule-failures",
      orders(stack, "ScheduleFailures", "Sum"),
      orders(stack, "OrdersCreated", "Sum"),
    ),
    "redis-errors": expected(
      "redis-errors",
      orders(stack, "RedisErrors", "Sum"),
      orders(stack, "RedisLatency", "SampleCount"),
    ),
    "refund-backlog": expected("refund-backlog", orders(stack, "RefundBacklog", "Minimum")),
    "refund-dead-letters": expected("refund-dead-letters", orders(stack, "RefundsDeadLettered", "Sum")),
    "undelivered-completions": expected("undelivered-completions", queue("UndeliveredCompletions")),
    "failed-invocations": expected("failed-invocations", queue("FailedInvocations")),
    throttles: expected("function-throttles", ...FUNCTIONS.map((name) => lambda("Throttles", name))),
    ...each(FUNCTIONS, "errors", (name) =>
      expected("function-errors", lambda("Errors", name), lambda("Invocations", name)),
    ),
    ...each(POLLERS, "not-running", (name) => expected("poller-not-running", lambda("Invocations", name))),
  };
}

const expected = (section: string, ...metrics: string[]): ExpectedAlarm => ({ section, metrics });

const reference = (to: string) => `\${${to}}`;
const api = (name: string, stat: string) => `AWS/ApiGateway ${name} ApiId=${reference("HttpApi")} ${stat}`;
const orders = (stack: string, name: string, stat: string) => `Orders ${name} service=${stack} ${stat}`;
const queue = (id: string) =>
  `AWS/SQS ApproximateNumberOfMessagesVisible QueueName=${reference(`${id}.QueueName`)} Maximum`;
const lambda = (name: string, id: string) => `AWS/Lambda ${name} FunctionName=${reference(`${id}LambdaFunction`)} Sum`;

const each = (ids: readonly string[], prefix: string, make: (id: string) => ExpectedAlarm) =>
  Object.fromEntries(ids.map((id) => [`${prefix}-${id.charAt(0).toLowerCase()}${id.slice(1)}`, make(id)]));
