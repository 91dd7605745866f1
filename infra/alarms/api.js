import { apiMetric } from "../metrics.js";
import { alarm, rateAlarm } from "./alarm.js";

export const apiAlarms = (common, { percent5xx, latencyMs }) => ({
  ApiErrors: rateAlarm({
    ...common,
    name: "api-5xx-rate",
    says: `${percent5xx} % or more of the API's replies were 5xx.`,
    section: "api-5xx-rate",
    part: apiMetric("5xx"),
    whole: apiMetric("Count"),
    percent: percent5xx,
  }),
  ApiLatency: alarm({
    ...common,
    name: "api-latency",
    says: `The slowest 1 % of the API's replies took ${latencyMs} ms or more.`,
    section: "api-latency",
    metric: apiMetric("Latency"),
    stat: "p99",
    minutes: 5,
    atLeast: latencyMs,
    bad: [2, 3],
  }),
});
