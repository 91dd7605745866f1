import { reference } from "./logical-ids.ts";
import { accessLogMetric, apiMetric, functionMetric, type Metric, serviceMetric, waitingMessages } from "./metrics.ts";
import type { Parameters } from "./parameters.ts";
import { FUNCTIONS } from "./serverless-yml.ts";

/** CloudWatch's grid is 24 wide (CloudWatch API Reference, "Dashboard body structure"). */
const COLUMNS = 2;
const WIDTH = 24 / COLUMNS;
const HEIGHT = 6;
const TITLE_HEIGHT = 2;

/** A line of a graph: its label, its metric, and its statistic if that is not the graph's. */
type Line = readonly [label: string, metric: Metric, statistic?: string];

interface Widget {
  readonly type: "metric";
  readonly properties: object;
}

/** One page, from what clients notice at the top to dead letters at the bottom. */
export function dashboardStack(stack: string, { docsUrl }: Parameters) {
  const title = `# ${stack}\nWhat each alarm means and what to do: [operations](${docsUrl})`;
  const body = { start: "-PT3H", periodOverride: "inherit", widgets: layOut(title, graphs(stack)) };
  const address = `https://${reference("AWS::Region")}.console.aws.amazon.com/cloudwatch/home#dashboards:name=${stack}`;
  return {
    Resources: {
      Dashboard: {
        Type: "AWS::CloudWatch::Dashboard",
        Properties: { DashboardName: stack, DashboardBody: { "Fn::Sub": JSON.stringify(body) } },
      },
    },
    Outputs: {
      DashboardAddress: { Description: "The dashboard of this stage", Value: { "Fn::Sub": address } },
    },
  };
}

function graphs(stack: string): Widget[] {
  const own = (name: string) => serviceMetric(stack, name);
  return [
    graph("Orders", "Sum", [
      ["created", own("OrdersCreated")],
      ["replayed", own("OrdersReplayed")],
      ["completed by schedule", own("OrdersCompleted")],
      ["completed by sweep", own("OrdersCompletedBySweep")],
      ["refunded", own("RefundsApplied")],
    ]),
    graph("Completion lag, ms after due", "p50", [
      ["p50", own("CompletionLag")],
      ["p99", own("CompletionLag"), "p99"],
    ]),
    graph("Overdue orders and failed schedules", "Maximum", [
      ["overdue and not repaired", own("OverdueOrders")],
      ["schedules not created", own("ScheduleFailures"), "Sum"],
      ["completions that failed", own("CompletionFailures"), "Sum"],
    ]),
    graph("Announcements not finished by the slowest consumer", "Maximum", [
      ["entries", own("ConsumerLag")],
      ["lost unread", own("AnnouncementsLost"), "Sum"],
    ]),
    graph("Refunds", "Sum", [
      ["applied", own("RefundsApplied")],
      ["dead-lettered", own("RefundsDeadLettered")],
      ["failed, will be retried", own("RefundFailures")],
      ["trimmed by somebody", own("RefundsTrimmed")],
      ["left at the end of a drain", own("RefundBacklog"), "Maximum"],
    ]),
    graph("Requests", "Sum", [
      ["all", apiMetric("Count")],
      ["4xx", apiMetric("4xx")],
      ["429", accessLogMetric(stack, "ThrottledRequests")],
      ["5xx", apiMetric("5xx")],
      ["failed orders", accessLogMetric(stack, "FailedOrders")],
    ]),
    // API Gateway's documentation is inconsistent about the dimensions of a route's metrics. A search does not need them.
    search(
      "Latency per route, p99, ms",
      `Namespace="AWS/ApiGateway" MetricName="Latency" ApiId="${reference("HttpApi")}"`,
      "p99",
    ),
    graph("Redis, ms per call", "p50", [
      ["p50", own("RedisLatency")],
      ["p99", own("RedisLatency"), "p99"],
      ["failed calls", own("RedisErrors"), "Sum"],
    ]),
    graph("Inventory, ms per request", "p50", [
      ["p50", own("InventoryLatency")],
      ["p99", own("InventoryLatency"), "p99"],
      ["failed requests", own("InventoryErrors"), "Sum"],
    ]),
    graph("Dead letters waiting", "Maximum", [
      ["undelivered completions", waitingMessages("UndeliveredCompletions")],
      ["failed invocations", waitingMessages("FailedInvocations")],
      ["refused refund requests", own("RefundDeadLetters")],
    ]),
    graph("Function errors", "Sum", perFunction("Errors")),
    graph("Function throttles", "Sum", perFunction("Throttles")),
    graph("Function duration, p99, ms", "p99", perFunction("Duration")),
    graph("Concurrent executions", "Maximum", perFunction("ConcurrentExecutions")),
  ];
}

const perFunction = (metric: string): Line[] => FUNCTIONS.map((name) => [name, functionMetric(name, metric)]);

const graph = (title: string, stat: string, lines: readonly Line[]): Widget => ({
  type: "metric",
  properties: {
    title,
    stat,
    period: 60,
    view: "timeSeries",
    region: reference("AWS::Region"),
    metrics: lines.map(([label, { namespace, name, dimensions }, own]) => [
      namespace,
      name,
      ...Object.entries(dimensions).flat(),
      { label, ...(own && { stat: own }) },
    ]),
  },
});

/** A line for each metric that a search finds (CloudWatch User Guide, "Search expression syntax"). */
const search = (title: string, terms: string, stat: string): Widget => ({
  type: "metric",
  properties: {
    title,
    view: "timeSeries",
    region: reference("AWS::Region"),
    metrics: [[{ expression: `SEARCH('${terms}', '${stat}', 60)` }]],
  },
});

/** The title over the whole width, then the graphs in rows. */
const layOut = (markdown: string, widgets: readonly Widget[]) => [
  { type: "text", properties: { markdown }, x: 0, y: 0, width: 24, height: TITLE_HEIGHT },
  ...widgets.map((widget, index) => ({
    ...widget,
    x: (index % COLUMNS) * WIDTH,
    y: TITLE_HEIGHT + Math.floor(index / COLUMNS) * HEIGHT,
    width: WIDTH,
    height: HEIGHT,
  })),
];
