import { functionId, reference } from "./logical-ids.ts";

/** A CloudWatch metric. The values of dimensions are templates of Fn::Sub. */
export interface Metric {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

/** A metric that the functions write to their log (embedded metric format). `service` separates the stages. */
export const serviceMetric = (stack: string, name: string): Metric => ({
  namespace: "Orders",
  name,
  dimensions: { service: stack },
});

/**
 * Counted by a filter of the access log (`api.ts`), because API Gateway has no such metric. A metric of a filter cannot have a
 * constant dimension (CloudWatch Logs User Guide, "Creating metrics from log events using filters"), so the namespace
 * separates the stages.
 * - `ThrottledRequests`: replies with 429.
 * - `FailedOrders`: `POST /orders` with 5xx or 429, whoever failed: API Gateway, Lambda or we.
 */
export const accessLogMetric = (stack: string, name: "ThrottledRequests" | "FailedOrders"): Metric => ({
  namespace: `Orders/${stack}`,
  name,
  dimensions: {},
});

/** Of all routes: Count, 4xx, 5xx, Latency (API Gateway Developer Guide, "Metrics for HTTP APIs"). */
export const apiMetric = (name: string): Metric => ({
  namespace: "AWS/ApiGateway",
  name,
  dimensions: { ApiId: reference("HttpApi") },
});

/** Invocations, Errors, Throttles, Duration, ConcurrentExecutions (Lambda Developer Guide, "Metrics"). */
export const functionMetric = (functionName: string, name: string): Metric => ({
  namespace: "AWS/Lambda",
  name,
  dimensions: { FunctionName: reference(functionId(functionName)) },
});

/** How many messages wait in a dead-letter queue. */
export const waitingMessages = (queueId: string): Metric => ({
  namespace: "AWS/SQS",
  name: "ApproximateNumberOfMessagesVisible",
  dimensions: { QueueName: reference(`${queueId}.QueueName`) },
});
