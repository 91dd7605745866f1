import { apiMetric, throttledRequests } from "../metrics.js";
import { alarm, mathAlarm, rateAlarm, TWO_OF_THREE } from "./alarm.js";

export const apiAlarms = (common, { percent5xx, percent4xx, minRequests4xx, percent429, latencyMs }) => ({
  ApiErrors: rateAlarm({
    ...common,
    name: "api-5xx-rate",
    description: `${percent5xx} % or more of the API's replies were 5xx.`,
    section: "api-5xx-rate",
    part: apiMetric("5xx"),
    whole: apiMetric("Count"),
    threshold: percent5xx,
  }),
  ApiClientErrors: mathAlarm({
    ...common,
    ...TWO_OF_THREE,
    name: "api-4xx-rate",
    description: `${percent4xx} % or more of the API's replies were 4xx other than 429.`,
    section: "api-4xx-rate",
    // With few requests one mistyped address is a large part of them. Where one side of a subtraction has no value
    // CloudWatch takes 0 (CloudWatch User Guide, "Using math expressions with CloudWatch metrics").
    expression: `IF(requests >= ${minRequests4xx}, 100 * (client_errors - throttled) / requests, 0)`,
    inputs: {
      client_errors: [apiMetric("4xx"), "Sum"],
      throttled: [throttledRequests(common.stack), "Sum"],
      requests: [apiMetric("Count"), "Sum"],
    },
    threshold: percent4xx,
  }),
  ApiThrottling: rateAlarm({
    ...common,
    name: "api-throttling",
    description: `${percent429} % or more of the API's requests were refused with 429.`,
    section: "api-throttling",
    part: throttledRequests(common.stack),
    whole: apiMetric("Count"),
    threshold: percent429,
  }),
  ApiLatency: alarm({
    ...common,
    ...TWO_OF_THREE,
    name: "api-latency",
    description: `The slowest 1 % of the API's replies took ${latencyMs} ms or more.`,
    section: "api-latency",
    metric: apiMetric("Latency"),
    statistic: "p99",
    threshold: latencyMs,
  }),
});
