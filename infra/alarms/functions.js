import { FUNCTIONS, functionId } from "../functions.js";
import { functionMetric } from "../metrics.js";
import { alarm, rateAlarm, sumAlarm } from "./alarm.js";

/** What EventBridge runs every minute. */
const POLLERS = ["drainRefunds", "sweepOrders"];

export const functionAlarms = (common, { errorsPercent }) => ({
  ...byFunction(POLLERS, "NotRunning", (name) =>
    alarm({
      ...common,
      name: `not-running-${name}`,
      description: `${name} was not invoked for 5 minutes; it is to run every minute.`,
      section: "poller-not-running",
      metric: functionMetric(functionId(name), "Invocations"),
      statistic: "Sum",
      period: 300,
      comparisonOperator: "LessThanThreshold",
      threshold: 1,
      datapointsToAlarm: 1,
      evaluationPeriods: 1,
      // Lambda reports nothing where nothing runs.
      treatMissingData: "breaching",
    }),
  ),
  ...byFunction(FUNCTIONS, "Errors", (name) =>
    rateAlarm({
      ...common,
      name: `errors-${name}`,
      description: `${errorsPercent} % or more of the invocations of ${name} crashed, ran out of time or failed.`,
      section: "function-errors",
      part: functionMetric(functionId(name), "Errors"),
      whole: functionMetric(functionId(name), "Invocations"),
      threshold: errorsPercent,
    }),
  ),
  // One for all: mostly it is the account's concurrency that ran out, whichever function it is.
  Throttles: sumAlarm({
    ...common,
    name: "throttles",
    description: "Lambda refused invocations: the account's concurrency ran out, or what is reserved for a function.",
    section: "function-throttles",
    metrics: FUNCTIONS.map((name) => functionMetric(functionId(name), "Throttles")),
    period: 60,
    threshold: 1,
    datapointsToAlarm: 2,
    evaluationPeriods: 5,
  }),
});

const byFunction = (names, suffix, make) =>
  Object.fromEntries(names.map((name) => [functionId(name).replace("LambdaFunction", suffix), make(name)]));
