import { FUNCTIONS, functionId } from "../functions.js";
import { apiMetric, functionMetric, serviceMetric, throttledRequests, waitingMessages } from "../metrics.js";
import { parameters, stackName } from "../parameters.js";
import { reference } from "../references.js";
import { graph, layOut, search, text } from "./widgets.js";

/** One page, from what clients notice at the top to what gave up at the bottom. */
export async function resources({ resolveVariable }) {
  const stack = await stackName(resolveVariable);
  const docsUrl = await parameters(resolveVariable).text("docsUrl");
  const body = { start: "-PT3H", periodOverride: "inherit", widgets: layOut(widgets(stack, docsUrl)) };
  return {
    Resources: {
      Dashboard: {
        Type: "AWS::CloudWatch::Dashboard",
        Properties: { DashboardName: stack, DashboardBody: { "Fn::Sub": JSON.stringify(body) } },
      },
    },
    Outputs: {
      DashboardAddress: {
        Description: "The dashboard of this stage",
        Value: {
          "Fn::Sub": `https://${reference("AWS::Region")}.console.aws.amazon.com/cloudwatch/home#dashboards:name=${stack}`,
        },
      },
    },
  };
}

function widgets(stack, docsUrl) {
  const own = (name) => serviceMetric(stack, name);
  return [
    text(`# ${stack}\nWhat each alarm means and what to do: [operations](${docsUrl})`),
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
      ["overdue when a sweep began", own("OverdueOrders")],
      ["schedules not made", own("ScheduleFailures"), "Sum"],
      ["completions that failed", own("CompletionFailures"), "Sum"],
    ]),
    graph("Announcements not read by the slowest consumer", "Maximum", [["entries", own("ConsumerLag")]]),
    graph("Refunds", "Sum", [
      ["applied", own("RefundsApplied")],
      ["dead-lettered", own("RefundsDeadLettered")],
      ["failed, to be tried again", own("RefundFailures")],
      ["trimmed by somebody", own("RefundsTrimmed")],
      ["left at the end of a drain", own("RefundBacklog"), "Maximum"],
    ]),
    graph("Requests", "Sum", [
      ["all", apiMetric("Count")],
      ["4xx", apiMetric("4xx")],
      ["429", throttledRequests(stack)],
      ["5xx", apiMetric("5xx")],
    ]),
    // Whatever dimensions API Gateway gives the routes: it names them differently in different places.
    search(
      "Latency p99 a route, ms",
      `Namespace="AWS/ApiGateway" MetricName="Latency" ApiId="${reference("HttpApi")}"`,
      "p99",
    ),
    graph("Redis, ms a call", "p50", [
      ["p50", own("RedisLatency")],
      ["p99", own("RedisLatency"), "p99"],
      ["failed calls", own("RedisErrors"), "Sum"],
    ]),
    graph("Inventory, ms a question", "p50", [
      ["p50", own("InventoryLatency")],
      ["p99", own("InventoryLatency"), "p99"],
      ["failed questions", own("InventoryErrors"), "Sum"],
    ]),
    graph("Dead letters waiting", "Maximum", [
      ["undelivered completions", waitingMessages("UndeliveredCompletions")],
      ["failed invocations", waitingMessages("FailedInvocations")],
      ["refused refund requests", own("RefundDeadLetters")],
    ]),
    graph("Function errors", "Sum", ofEach("Errors")),
    graph("Function throttles", "Sum", ofEach("Throttles")),
    graph("Function duration p99, ms", "p99", ofEach("Duration")),
    graph("Functions at once", "Maximum", ofEach("ConcurrentExecutions")),
  ];
}

const ofEach = (metric) => FUNCTIONS.map((name) => [name, functionMetric(functionId(name), metric)]);
