import { z } from "zod";
import { resourcesOf, type Template } from "./template.ts";

const Metric = z.strictObject({
  Namespace: z.string(),
  MetricName: z.string(),
  Dimensions: z.array(z.strictObject({ Name: z.string(), Value: z.strictObject({ "Fn::Sub": z.string() }) })),
});
type Metric = z.infer<typeof Metric>;

/** Strict, so that no property goes unseen. */
const Common = z.strictObject({
  AlarmName: z.string(),
  AlarmDescription: z.string(),
  ComparisonOperator: z.enum(["GreaterThanOrEqualToThreshold", "LessThanThreshold"]),
  Threshold: z.number(),
  DatapointsToAlarm: z.int(),
  EvaluationPeriods: z.int(),
  TreatMissingData: z.string(),
  AlarmActions: z.array(z.unknown()),
  OKActions: z.array(z.unknown()),
});

const Simple = Common.extend({
  ...Metric.shape,
  Period: z.int(),
  Statistic: z.string().optional(),
  ExtendedStatistic: z.string().optional(),
}).transform(({ Period, Statistic, ExtendedStatistic, ...alarm }) => ({
  ...alarm,
  value: describeMetric(alarm, ExtendedStatistic ?? Statistic ?? ""),
  inputs: {},
  periods: [Period],
}));

const Input = z.strictObject({
  Id: z.string(),
  MetricStat: z.strictObject({ Metric, Period: z.int(), Stat: z.string() }),
  ReturnData: z.literal(false),
});

const Calculated = Common.extend({
  Metrics: z.tuple(
    [z.strictObject({ Id: z.string(), Expression: z.string(), Label: z.string(), ReturnData: z.literal(true) })],
    Input,
  ),
}).transform(({ Metrics: [{ Expression }, ...inputs], ...alarm }) => ({
  ...alarm,
  value: Expression,
  inputs: Object.fromEntries(
    inputs.map(({ Id, MetricStat }) => [Id, describeMetric(MetricStat.Metric, MetricStat.Stat)]),
  ),
  periods: inputs.map(({ MetricStat }) => MetricStat.Period),
}));

const Alarm = z.union([Simple, Calculated]);
export type Alarm = z.output<typeof Alarm>;

/**
 * Every alarm of the template. `value` is what is held against the threshold: a metric as `namespace name dimension=value
 * statistic`, or an expression on `inputs`, which are such metrics by their ids.
 */
export function alarmsOf(template: Template): Alarm[] {
  return [...resourcesOf(template, "AWS::CloudWatch::Alarm", Alarm).values()];
}

/** When it rings: `>= 5, 2 of 3 in 300 s, else notBreaching`; the last is what missing data counts for. */
export function conditionOf(alarm: Alarm): string {
  const { ComparisonOperator, Threshold, DatapointsToAlarm, EvaluationPeriods, TreatMissingData, periods } = alarm;
  const operator = ComparisonOperator === "LessThanThreshold" ? "<" : ">=";
  const seconds = [...new Set(periods)].join(" and ");
  return `${operator} ${Threshold}, ${DatapointsToAlarm} of ${EvaluationPeriods} in ${seconds} s, else ${TreatMissingData}`;
}

function describeMetric({ Namespace, MetricName, Dimensions }: Metric, stat: string): string {
  const dimensions = Dimensions.map(({ Name, Value }) => `${Name}=${Value["Fn::Sub"]}`);
  return [Namespace, MetricName, ...dimensions, stat].join(" ");
}
