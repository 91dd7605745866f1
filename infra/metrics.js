import { reference } from "./references.js";

// The metrics that alarms and the dashboard look at. The values of dimensions are templates of Fn::Sub.

/** What the functions count in their log lines (embedded metric format). `service` tells the stages apart. */
export const serviceMetric = (service, name) => ({ namespace: "Orders", name, dimensions: { service } });

/**
 * Replies with 429, which API Gateway has no metric for: a filter of the access log counts them (`infra/api.js`). Such a
 * metric has no constant dimension (CloudWatch Logs User Guide, "Creating metrics from log events using filters"), so the
 * namespace tells the stages apart.
 */
export const throttledRequests = (stack) => ({
  namespace: `Orders/${stack}`,
  name: "ThrottledRequests",
  dimensions: {},
});

/** Of all routes: Count, 4xx, 5xx, Latency (API Gateway Developer Guide, "Metrics for HTTP APIs"). */
export const apiMetric = (name) => ({ namespace: "AWS/ApiGateway", name, dimensions: { ApiId: reference("HttpApi") } });

/** Invocations, Errors, Throttles, Duration, ConcurrentExecutions (Lambda Developer Guide, "Metrics"). */
export const functionMetric = (functionId, name) => ({
  namespace: "AWS/Lambda",
  name,
  dimensions: { FunctionName: reference(functionId) },
});

/** How many messages wait in a dead-letter queue. */
export const waitingMessages = (queueId) => ({
  namespace: "AWS/SQS",
  name: "ApproximateNumberOfMessagesVisible",
  dimensions: { QueueName: reference(`${queueId}.QueueName`) },
});

/** As an alarm wants it. */
export const alarmMetric = ({ namespace, name, dimensions }) => ({
  Namespace: namespace,
  MetricName: name,
  Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value: { "Fn::Sub": Value } })),
});

/** As a widget wants it; the options are CloudWatch's, `label` or `stat` for example. */
export const widgetMetric = ({ namespace, name, dimensions }, options) => [
  namespace,
  name,
  ...Object.entries(dimensions).flat(),
  options,
];
