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
      says: `${name} was not invoked for 5 minutes; it is to run every minute.`,
      section: "poller-not-running",
      metric: functionMetric(functionId(name), "Invocations"),
      stat: "Sum",
      minutes: 5,
      below: 1,
      bad: [1, 1],
      // Lambda reports nothing where nothing runs.
      missing: "breaching",
    }),
  ),
  ...byFunction(FUNCTIONS, "Errors", (name) =>
    rateAlarm({
      ...common,
      name: `errors-${name}`,
      says: `${errorsPercent} % or more of the invocations of ${name} crashed, ran out of time or failed.`,
      section: "function-errors",
      part: functionMetric(functionId(name), "Errors"),
      whole: functionMetric(functionId(name), "Invocations"),
      percent: errorsPercent,
    }),
  ),
  // One for all: whichever function it is, the account's concurrency is what ran out.
  Throttles: sumAlarm({
    ...common,
    name: "throttles",
    says: "Lambda refused invocations: the account's concurrency ran out.",
    section: "function-throttles",
    metrics: FUNCTIONS.map((name) => functionMetric(functionId(name), "Throttles")),
    minutes: 1,
    atLeast: 1,
    bad: [2, 5],
  }),
});

const byFunction = (names, suffix, make) =>
  Object.fromEntries(names.map((name) => [functionId(name).replace("LambdaFunction", suffix), make(name)]));
