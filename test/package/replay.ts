import { z } from "zod";
import { evaluateMath, type MathOptions, type Series } from "./metric-math.ts";
import { inOneLine, resourcesOf, type Template } from "./template.ts";

const Dimension = z.object({ Name: z.string(), Value: z.unknown() });
const Metric = z.object({ MetricName: z.string(), Dimensions: z.array(Dimension).default([]) });
const Alarm = z.intersection(
  z.object({
    AlarmName: z.string(),
    AlarmActions: z.unknown(),
    ComparisonOperator: z.literal("GreaterThanOrEqualToThreshold"),
    Threshold: z.number(),
    DatapointsToAlarm: z.int(),
    EvaluationPeriods: z.int(),
    TreatMissingData: z.enum(["missing", "ignore", "breaching", "notBreaching"]),
    WarmUpConfiguration: z
      .object({
        WarmUpPeriodDurationInMinutes: z.int(),
        OnlyStartEvaluatingAfterWarmUpPeriodEnds: z.literal(true),
      })
      .optional(),
  }),
  z.union([
    Metric.extend({ Statistic: z.string(), Period: z.int() }),
    z.object({
      Metrics: z.array(
        z.union([
          z.object({ Id: z.string(), Expression: z.string(), ReturnData: z.boolean() }),
          z.object({
            Id: z.string(),
            MetricStat: z.object({ Metric, Period: z.int(), Stat: z.string() }),
            ReturnData: z.literal(false),
          }),
        ]),
      ),
    }),
  ]),
);
type Alarm = z.infer<typeof Alarm>;

export type State = "OK" | "ALARM" | "INSUFFICIENT_DATA";

/** How an alarm becomes a state, by CloudWatch's names. */
export type Evaluation = Pick<Alarm, "DatapointsToAlarm" | "EvaluationPeriods" | "TreatMissingData">;

/** How often a value was written in a minute. */
export type Sample = readonly [value: number, times: number];

/**
 * What was written in a minute, by the name of the metric, which is followed by its queue where there is one. A number is one
 * sample.
 */
export type Minute = Readonly<Record<string, number | readonly Sample[]>>;

/** What CloudWatch does not document, or does not promise. An alarm must not depend on it. */
export interface Unknowns extends MathOptions {
  /** How many more data points than the evaluation periods are read. */
  readonly extraPoints: number;
  /** After how many minutes a metric arrives. */
  readonly delay: number;
}

/** A change of state that notifies. */
export interface Notification {
  readonly minute: number;
  readonly alarm: string;
  readonly state: "OK" | "ALARM";
}

/** The alarms of a template, with CloudFormation's references in one line. */
export const alarmsOf = (template: Template) => [...resourcesOf(template, "AWS::CloudWatch::Alarm", Alarm).values()];

/**
 * Evaluates alarms at the end of each minute over a history, and tells which notifies when.
 *
 * "For any period of one minute or longer, an alarm is evaluated every minute", over a window that "advances each time the alarm is
 * evaluated" (CloudWatch User Guide, "Alarm evaluation" and "Alarm evaluation window"). During its warm-up period an alarm "stays
 * in INSUFFICIENT_DATA and does not perform alarm actions" ("Alarm warm-up periods").
 * @param historyOf what was written in a minute. Those before `from` count too: "CloudWatch retrieves the most recent data points
 * from before the alarm was created"
 * @param from when the alarms are created
 */
export function replay(
  alarms: readonly Alarm[],
  historyOf: (minute: number) => Minute,
  from: number,
  to: number,
  unknowns: Unknowns,
): Notification[] {
  return alarms.flatMap((alarm) => {
    const warmUp = alarm.WarmUpConfiguration?.WarmUpPeriodDurationInMinutes ?? 0;
    const notifications: Notification[] = [];
    let state: State = "INSUFFICIENT_DATA";
    for (let minute = from + warmUp + 1; minute <= to; minute += 1) {
      const next = nextState(alarm, breaches(alarm, historyOf, minute, unknowns), state);
      // A new alarm that finds nothing wrong is no news.
      const isNews = next === "ALARM" || (next === "OK" && state === "ALARM");
      if (next !== state && isNews) notifications.push({ minute, alarm: nameOf(alarm), state: next });
      state = next;
    }
    return notifications;
  });
}

/** `page-failed-requests` */
const nameOf = ({ AlarmName }: Alarm) => AlarmName.replace(/^orders-[a-z]+-/, "");

/**
 * The state after one evaluation ("Configuring how CloudWatch alarms treat missing data"):
 * - "If some data points in the evaluation range are missing, but the total number of existing data points that were successfully
 *   retrieved from the evaluation range is equal to or more than the alarm's Evaluation Periods, CloudWatch evaluates the alarm
 *   state based on the most recent real data points."
 * - If there are fewer, "CloudWatch fills in the missing data points with the result you specified for how to treat missing data …
 *   However, all real data points in the evaluation range are included in the evaluation. CloudWatch uses missing data points only
 *   as few times as possible."
 * - "Avoiding premature transitions to alarm state": with `missing`, a breaching data point that is at least as old as Datapoints to
 *   Alarm, with only breaching or missing ones after it, is an alarm.
 * @param range whether each data point breaches, oldest first; undefined if it is missing
 */
export function nextState(alarm: Evaluation, range: readonly (boolean | undefined)[], state: State): State {
  const { DatapointsToAlarm, EvaluationPeriods, TreatMissingData } = alarm;
  const existing = range.filter((point) => point !== undefined);
  const evaluated = existing.slice(-EvaluationPeriods);
  const filled = EvaluationPeriods - evaluated.length;
  const breaching = evaluated.filter(Boolean).length + (TreatMissingData === "breaching" ? filled : 0);
  if (breaching >= DatapointsToAlarm) return "ALARM";
  const fills = TreatMissingData === "breaching" || TreatMissingData === "notBreaching";
  if (filled === 0 || fills || evaluated.includes(false)) return "OK";
  if (TreatMissingData === "ignore") return state;
  const oldest = range.indexOf(true);
  return oldest >= 0 && range.length - oldest >= DatapointsToAlarm ? "ALARM" : "INSUFFICIENT_DATA";
}

/** Whether each data point of the evaluation range breaches. The newest ends with the minute before `now`. */
function breaches(
  alarm: Alarm,
  historyOf: (minute: number) => Minute,
  now: number,
  unknowns: Unknowns,
): (boolean | undefined)[] {
  const length = alarm.EvaluationPeriods + unknowns.extraPoints;
  const seriesOf = (metric: z.infer<typeof Metric>, period: number, statistic: string): Series => {
    const key = keyOf(metric);
    return Array.from({ length }, (_, at) => {
      const minutes = period / 60;
      const start = now - (length - at) * minutes;
      const end = Math.min(start + minutes, now - unknowns.delay);
      return statisticOf(statistic, (minute) => samplesOf(historyOf(minute)[key]), start, end);
    });
  };
  const values = "Metrics" in alarm ? mathOf(alarm.Metrics) : seriesOf(alarm, alarm.Period, alarm.Statistic);
  return values.map((value) => (value === undefined ? undefined : value >= alarm.Threshold));

  function mathOf(queries: Extract<Alarm, { Metrics: unknown }>["Metrics"]): Series {
    const series = new Map<string, Series>();
    for (const query of queries) {
      if (!("MetricStat" in query)) continue;
      const { Metric: metric, Period, Stat } = query.MetricStat;
      series.set(query.Id, seriesOf(metric, Period, Stat));
    }
    let result: Series = [];
    for (const query of queries) {
      if (!("Expression" in query)) continue;
      const values = evaluateMath(query.Expression, series, length, unknowns);
      series.set(query.Id, values);
      if (query.ReturnData) result = values;
    }
    return result;
  }
}

function keyOf({ MetricName, Dimensions }: z.infer<typeof Metric>): string {
  const queue = Dimensions.find(({ Name }) => Name === "QueueName");
  return [MetricName, ...(/\w+(?=\.QueueName)/.exec(inOneLine(queue?.Value ?? "")) ?? [])].join(" ");
}

const samplesOf = (written: Minute[string] | undefined): readonly Sample[] =>
  typeof written === "number" ? [[written, 1]] : (written ?? []);

/**
 * The statistic of a range of minutes. "Percentile rank (PR) is the percentage of values that meet a fixed threshold. For example,
 * PR(:300) returns the percentage of data points that have a value of 300 or less" (CloudWatch User Guide, "CloudWatch statistics
 * definitions").
 */
function statisticOf(
  statistic: string,
  samplesAt: (minute: number) => readonly Sample[],
  start: number,
  end: number,
): number | undefined {
  const upTo = Number(/^PR\(:(\d+)\)$/.exec(statistic)?.[1] ?? Number.NaN);
  let [sum, count, within, minimum, maximum] = [0, 0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const times = new Map<number, number>();
  for (let minute = start; minute < end; minute += 1) {
    for (const [value, n] of samplesAt(minute)) {
      sum += value * n;
      count += n;
      if (value <= upTo) within += n;
      minimum = Math.min(minimum, value);
      maximum = Math.max(maximum, value);
      if (statistic === "p99") times.set(value, (times.get(value) ?? 0) + n);
    }
  }
  if (count === 0) return undefined;
  if (!Number.isNaN(upTo)) return (100 * within) / count;
  switch (statistic) {
    case "Sum":
      return sum;
    case "SampleCount":
      return count;
    case "Minimum":
      return minimum;
    case "Maximum":
      return maximum;
    case "p99": {
      let seen = 0;
      const sorted = [...times].toSorted(([a], [b]) => a - b);
      return sorted.find(([, n]) => {
        seen += n;
        return seen >= 0.99 * count;
      })?.[0];
    }
    default:
      throw new Error(`There is no statistic ${statistic}`);
  }
}
