import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { readParameters } from "../../infra/parameters.ts";
import { stackResources } from "../../infra/stack.ts";
import { anchorsOf, tableOf } from "../support/markdown.ts";
import { inOneLine, ref, resource, resourcesOf, Template } from "./template.ts";

const PROJECT = join(import.meta.dirname, "../..");
const GUIDE = await readFile(join(PROJECT, "docs/operations.md"), "utf8");
const GUIDE_ADDRESS = "https://github.com/your-org/orders/blob/main/docs/operations.md";
const Values = z.record(z.string(), z.unknown());
const given = z
  .object({ default: Values, prod: Values })
  .parse(parse(await readFile(join(PROJECT, "infra/parameters.yml"), "utf8")));

type Stage = "dev" | "prod";

function templateOf(stage: Stage, ...commandLine: string[]): Template {
  const parameters = readParameters({ default: given.default, stage: stage === "prod" ? given.prod : {}, commandLine });
  return Template.parse(stackResources(`orders-${stage}`, parameters));
}

const Metric = z.strictObject({
  Namespace: z.string(),
  MetricName: z.string(),
  Dimensions: z.array(z.strictObject({ Name: z.string(), Value: z.strictObject({ "Fn::Sub": z.string() }) })),
});
/** Strict, so that no property goes unseen. */
const Alarm = z.strictObject({
  AlarmName: z.string(),
  AlarmDescription: z.string(),
  ComparisonOperator: z.enum(["GreaterThanOrEqualToThreshold", "LessThanThreshold"]),
  Threshold: z.number(),
  DatapointsToAlarm: z.int(),
  EvaluationPeriods: z.int(),
  TreatMissingData: z.string(),
  AlarmActions: z.array(z.unknown()),
  OKActions: z.array(z.unknown()),
  ...Metric.partial().shape,
  Period: z.int().optional(),
  Statistic: z.string().optional(),
  ExtendedStatistic: z.string().optional(),
  Metrics: z
    .tuple(
      [z.strictObject({ Id: z.string(), Expression: z.string(), Label: z.string(), ReturnData: z.literal(true) })],
      z.strictObject({
        Id: z.string(),
        MetricStat: z.strictObject({ Metric, Period: z.int(), Stat: z.string() }),
        ReturnData: z.literal(false),
      }),
    )
    .optional(),
});
type Alarm = z.infer<typeof Alarm>;

const alarmsOf = (template: Template) => [...resourcesOf(template, "AWS::CloudWatch::Alarm", Alarm).values()];

const severityOf = (alarm: Alarm) => (isDeepStrictEqual(alarm.AlarmActions, [ref("Pages")]) ? "page" : "ticket");

/** `>= 5, 2 of 3 in 300 s, else notBreaching`: threshold, periods, and what missing data counts for. */
function conditionOf(alarm: Alarm): string {
  const [, ...inputs] = alarm.Metrics ?? [];
  const periods = new Set([alarm.Period, ...inputs.map(({ MetricStat }) => MetricStat.Period)]);
  const seconds = [...periods].filter(Boolean).join(" and ");
  const operator = alarm.ComparisonOperator === "LessThanThreshold" ? "<" : ">=";
  return `${operator} ${alarm.Threshold}, ${alarm.DatapointsToAlarm} of ${alarm.EvaluationPeriods} in ${seconds} s, else ${alarm.TreatMissingData}`;
}

/** What is compared with the threshold: `namespace name dimension=value statistic`, or an expression and its inputs. */
function watchedBy({ Metrics, Namespace, MetricName, Dimensions, ...alarm }: Alarm): string {
  const describe = (metric: unknown, stat = "") => {
    const { Namespace, MetricName, Dimensions } = Metric.parse(metric);
    return [Namespace, MetricName, ...Dimensions.map(({ Name, Value }) => `${Name}=${Value["Fn::Sub"]}`), stat].join(
      " ",
    );
  };
  if (!Metrics) return describe({ Namespace, MetricName, Dimensions }, alarm.ExtendedStatistic ?? alarm.Statistic);
  const [{ Expression }, ...inputs] = Metrics;
  return [
    Expression,
    ...inputs.map(({ Id, MetricStat: { Metric, Stat } }) => `${Id} = ${describe(Metric, Stat)}`),
  ].join("; ");
}

test("the alarms compare and watch what was reviewed, and page or are tickets", () => {
  const found = alarmsOf(templateOf("prod")).map((alarm) => {
    const severity = severityOf(alarm);
    expect(alarm.OKActions).toEqual(alarm.AlarmActions);
    expect(alarm.AlarmDescription.toLowerCase()).toMatch(new RegExp(`^${severity}: `));
    const name = alarm.AlarmName.replace(`orders-prod-${severity}-`, "");
    return `${name}: ${severity} ${conditionOf(alarm)}: ${watchedBy(alarm)}`;
  });

  expect(found).toMatchSnapshot();
});

test("every alarm links to its section of the operations guide, and is in its triage table with its severity", () => {
  const [anchors, triage] = [anchorsOf(GUIDE), tableOf(GUIDE, "alarm", "what customers notice")];
  const rows = triage.map(([alarm = "", , severity]) => `${/#([\w-]+)\)/.exec(alarm)?.[1]} ${severity}`);

  const linked = alarmsOf(templateOf("prod")).map((alarm) => {
    const [, address, section = ""] = / What to do: ([^#]+)#(.+)$/.exec(alarm.AlarmDescription) ?? [];
    expect(address).toBe(GUIDE_ADDRESS);
    expect(anchors).toContain(section);
    return `${section} ${severityOf(alarm)}`;
  });

  expect(rows.toSorted()).toEqual([...new Set(linked)].toSorted());
});

test("alarms and dashboard watch only metrics that the functions write", async () => {
  const paths = globSync("{functions,lib}/**/*.ts", { cwd: PROJECT });
  const sources = await Promise.all(paths.map((path) => readFile(join(PROJECT, path), "utf8")));
  const template = templateOf("dev");
  const watched = JSON.stringify([alarmsOf(template).map(watchedBy), template.Resources.Dashboard]);

  const names = [...watched.matchAll(/Orders (\w+) service|\[\\"Orders\\",\\"(\w+)\\"/g)].map(
    ([, alarm, line]) => alarm ?? line,
  );

  expect(new Set(names).size).toBeGreaterThan(15);
  expect(names.filter((name) => !sources.some((source) => source.includes(`"${name}"`)))).toEqual([]);
});

test("the alarm on consumers begins at half of the stream", () => {
  const threshold = (length: number) =>
    resource(templateOf("dev", `completedStreamMaxLength=${length}`), "ConsumerLagAlarm", Alarm).Threshold;

  expect([threshold(1000), threshold(2001)]).toEqual([500, 1000]);
});

test.for<[given: string[], page: string | undefined, ticket: string | undefined]>([
  [[], undefined, undefined],
  [["alarmEmail=on-call@example.com"], "on-call@example.com", "on-call@example.com"],
  [["alarmEmail=on-call@example.com", "ticketEmail=team@example.com"], "on-call@example.com", "team@example.com"],
  [["ticketEmail=team@example.com"], undefined, "team@example.com"],
])("with %j pages go to %s and tickets to %s", ([parameters, page, ticket]) => {
  const { Resources } = templateOf("dev", ...parameters);
  const mail = (id: string) => Resources[`${id}Email`]?.Properties;

  expect(mail("Pages")).toEqual(page && { TopicArn: ref("Pages"), Protocol: "email", Endpoint: page });
  expect(mail("Tickets")).toEqual(ticket && { TopicArn: ref("Tickets"), Protocol: "email", Endpoint: ticket });
});

test.for([
  ["Pages", "page"],
  ["Tickets", "ticket"],
])("only alarms of their severity may publish to %s", ([id, severity]) => {
  const policy = templateOf("prod").Resources[`${id}Policy`]?.Properties;

  expect(policy).toMatchObject({
    Topics: [ref(id ?? "")],
    PolicyDocument: {
      Statement: [
        {
          Principal: { Service: "cloudwatch.amazonaws.com" },
          Action: "sns:Publish",
          Condition: {
            StringEquals: { "aws:SourceAccount": ref("AWS::AccountId") },
            ArnLike: { "aws:SourceArn": { "Fn::Sub": expect.stringMatching(`:alarm:orders-prod-${severity}-\\*$`) } },
          },
        },
      ],
    },
  });
});

const Widget = z.object({
  x: z.int().min(0),
  y: z.int().min(0),
  width: z.int().positive(),
  height: z.int().positive(),
  properties: z.object({ title: z.string().default("title"), metrics: z.array(z.array(z.unknown())).default([]) }),
});
const Dashboard = z.object({
  DashboardName: z.literal("orders-prod"),
  DashboardBody: z.object({ "Fn::Sub": z.string().transform((body): unknown => JSON.parse(body)) }),
});

test("the dashboard shows each metric of its own stage, and no graph covers another", () => {
  const body = resource(templateOf("prod"), "Dashboard", Dashboard).DashboardBody["Fn::Sub"];
  const { widgets } = z.object({ widgets: z.array(Widget) }).parse(body);

  // Each line of a graph: namespace, metric, dimensions and options.
  const graphs = widgets.map(({ properties: { title, metrics } }) => [title, inOneLine(metrics)]);
  expect(Object.fromEntries(graphs)).toMatchSnapshot();
  const cells = widgets.flatMap(({ x, y, width, height }) =>
    Array.from({ length: width * height }, (_, cell) => `${x + (cell % width)},${y + Math.floor(cell / width)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(Math.max(...widgets.map(({ x, width }) => x + width))).toBe(24);
});
