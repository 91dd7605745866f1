import { alarmMetric } from "../metrics.js";

const GREATER_OR_EQUAL = "GreaterThanOrEqualToThreshold";

/** Nothing happened, so nothing is wrong: for what is counted, not for levels. */
const NOT_BREACHING = "notBreaching";

/**
 * The alarm keeps its state: what does not report has not become better (CloudWatch User Guide, "Configuring how
 * CloudWatch alarms treat missing data").
 */
export const KEEP_STATE = "ignore";

/**
 * An alarm on one metric. Settings have CloudWatch's own names, but for `name`, `description` (one sentence for whoever is
 * woken) and `section` (of docs/operations.md). `period` is in seconds.
 */
export const alarm = ({ metric, statistic, period, ...settings }) => ({
  ...rule(settings),
  ...alarmMetric(metric),
  ...(statistic.startsWith("p") ? { ExtendedStatistic: statistic } : { Statistic: statistic }),
  Period: period,
});

/**
 * An alarm on how many percent `part` is of `whole`: right at any traffic, where a number is not. It takes two periods,
 * because where there is little traffic one failure is a large part of one.
 */
export const rateAlarm = ({ part, whole, wholeStatistic = "Sum", ...settings }) =>
  mathAlarm({
    ...settings,
    ...TWO_OF_THREE,
    expression: "100 * part / whole",
    inputs: { part: [part, "Sum"], whole: [whole, wholeStatistic] },
  });

/** An alarm on the sum of several metrics. */
export const sumAlarm = ({ metrics, ...settings }) =>
  mathAlarm({
    ...settings,
    expression: "SUM(METRICS())",
    inputs: Object.fromEntries(metrics.map((metric, index) => [`m${index}`, [metric, "Sum"]])),
  });

/** Periods of 5 minutes. */
export const TWO_OF_THREE = { period: 300, datapointsToAlarm: 2, evaluationPeriods: 3 };

/** @param settings `inputs` as `{ id: [metric, statistic] }`, which the expression calls by their ids */
export const mathAlarm = ({ expression, inputs, period, ...settings }) => ({
  ...rule(settings),
  Metrics: [
    { Id: "result", Expression: expression, Label: settings.name, ReturnData: true },
    ...Object.entries(inputs).map(([Id, [metric, Stat]]) => ({
      Id,
      MetricStat: { Metric: alarmMetric(metric), Period: period, Stat },
      ReturnData: false,
    })),
  ],
});

function rule({
  stack,
  docsUrl,
  name,
  description,
  section,
  comparisonOperator = GREATER_OR_EQUAL,
  threshold,
  datapointsToAlarm,
  evaluationPeriods,
  treatMissingData = NOT_BREACHING,
}) {
  return {
    AlarmName: `${stack}-${name}`,
    AlarmDescription: `${description} What to do: ${docsUrl}#${section}`,
    ComparisonOperator: comparisonOperator,
    Threshold: threshold,
    DatapointsToAlarm: datapointsToAlarm,
    EvaluationPeriods: evaluationPeriods,
    TreatMissingData: treatMissingData,
    AlarmActions: [{ Ref: "Alarms" }],
    OKActions: [{ Ref: "Alarms" }],
  };
}
