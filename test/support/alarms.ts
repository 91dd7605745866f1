import { z } from "zod";
import { resourcesOf, type Template } from "./template.ts";

const Metric = z.object({
  Namespace: z.string(),
  MetricName: z.string(),
  Dimensions: z.tuple([z.object({ Name: z.string(), Value: z.object({ "Fn::Sub": z.string() }) })]),
});
type Metric = z.infer<typeof Metric>;

const Common = z.object({
  AlarmName: z.string(),
  AlarmDescription: z.string(),
  ComparisonOperator: z.string(),
  Threshold: z.number(),
  TreatMissingData: z.string(),
  AlarmActions: z.array(z.unknown()),
  OKActions: z.array(z.unknown()),
});

const Simple = Common.extend({
  ...Metric.shape,
  Statistic: z.string().optional(),
  ExtendedStatistic: z.string().optional(),
}).transform(({ Statistic, ExtendedStatistic, ...alarm }) => ({
  ...alarm,
  metrics: [describeMetric(alarm, ExtendedStatistic ?? Statistic ?? "")],
}));

const Calculated = Common.extend({
  Metrics: z.array(z.object({ MetricStat: z.object({ Metric, Stat: z.string() }).optional() })),
}).transform(({ Metrics, ...alarm }) => ({
  ...alarm,
  metrics: Metrics.flatMap(({ MetricStat: of }) => (of ? [describeMetric(of.Metric, of.Stat)] : [])),
}));

const Alarm = z.union([Simple, Calculated]);
export type Alarm = z.output<typeof Alarm>;

/** Every alarm of the template; `metrics` as `namespace name dimension=value statistic`. */
export function alarmsOf(template: Template): Alarm[] {
  return [...resourcesOf(template, "AWS::CloudWatch::Alarm", Alarm).values()];
}

function describeMetric({ Namespace, MetricName, Dimensions: [{ Name, Value }] }: Metric, stat: string): string {
  return `${Namespace} ${MetricName} ${Name}=${Value["Fn::Sub"]} ${stat}`;
}
