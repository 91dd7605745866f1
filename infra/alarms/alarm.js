import { alarmMetric } from "../metrics.js";

/**
 * An alarm on one metric.
 * @param settings what it is about: `name`, `says` (one sentence for whoever is woken), `section` (of docs/operations.md),
 *   `metric`, `stat`, `minutes` (a data point's), `atLeast` or `below` (where a data point becomes bad), `bad` (so many bad
 *   ones of so many), `missing` (what no data means; nothing happened, so nothing is wrong, unless told otherwise)
 */
export const alarm = ({ metric, stat, minutes, ...settings }) => ({
  ...rule(settings),
  ...alarmMetric(metric),
  ...(stat.startsWith("p") ? { ExtendedStatistic: stat } : { Statistic: stat }),
  Period: minutes * 60,
});

/**
 * An alarm on how many percent `part` is of `whole`: right at any traffic, where a number is not. It takes two bad periods,
 * because where there is little traffic one failure is a large part of one.
 */
export const rateAlarm = ({ part, whole, wholeStat = "Sum", percent, ...settings }) => ({
  ...rule({ ...settings, atLeast: percent, bad: [2, 3] }),
  Metrics: [
    calculation("100 * part / whole", settings.name),
    input("part", part, "Sum", 5),
    input("whole", whole, wholeStat, 5),
  ],
});

/** An alarm on the sum of several metrics. */
export const sumAlarm = ({ metrics, minutes, ...settings }) => ({
  ...rule(settings),
  Metrics: [
    calculation("SUM(METRICS())", settings.name),
    ...metrics.map((metric, index) => input(`m${index}`, metric, "Sum", minutes)),
  ],
});

function rule({ stack, docsUrl, name, says, section, atLeast, below, bad: [bad, all], missing = "notBreaching" }) {
  return {
    AlarmName: `${stack}-${name}`,
    AlarmDescription: `${says} What to do: ${docsUrl}#${section}`,
    ComparisonOperator: below === undefined ? "GreaterThanOrEqualToThreshold" : "LessThanThreshold",
    Threshold: below ?? atLeast,
    DatapointsToAlarm: bad,
    EvaluationPeriods: all,
    TreatMissingData: missing,
    AlarmActions: [{ Ref: "Alarms" }],
    OKActions: [{ Ref: "Alarms" }],
  };
}

const calculation = (Expression, Label) => ({ Id: "result", Expression, Label, ReturnData: true });

const input = (Id, metric, Stat, minutes) => ({
  Id,
  MetricStat: { Metric: alarmMetric(metric), Period: minutes * 60, Stat },
  ReturnData: false,
});
