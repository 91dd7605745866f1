import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { stackResources } from "../../infra/stack.ts";
import { anchorsOf, tableOf } from "../support/markdown.ts";
import { inOneLine, parametersOf, ref, resource, resourcesOf, Template } from "./template.ts";

const PROJECT = join(import.meta.dirname, "../..");
const GUIDE = await readFile(join(PROJECT, "docs/operations.md"), "utf8");
const GUIDE_ADDRESS = "https://github.com/your-org/orders/blob/main/docs/operations.md";

const templateOf = (stage: "dev" | "prod", ...commandLine: string[]) =>
  Template.parse(stackResources(`orders-${stage}`, parametersOf(stage, ...commandLine)));

const Alarm = z.looseObject({
  AlarmName: z.string(),
  AlarmDescription: z.string(),
  AlarmActions: z.unknown(),
  OKActions: z.unknown(),
  Threshold: z.number(),
});
type Alarm = z.infer<typeof Alarm>;

const alarmsOf = (template: Template) => [...resourcesOf(template, "AWS::CloudWatch::Alarm", Alarm).values()];

const severityOf = (alarm: Alarm) => (inOneLine(alarm.AlarmActions) === "[Pages]" ? "page" : "ticket");

test("an alarm notifies the topic of its severity when it starts and when it ends", () => {
  for (const alarm of alarmsOf(templateOf("prod"))) {
    const severity = severityOf(alarm);
    expect(alarm.OKActions).toEqual(alarm.AlarmActions);
    expect(alarm.AlarmDescription.toLowerCase()).toMatch(new RegExp(`^${severity}: `));
    expect(alarm.AlarmName).toMatch(new RegExp(`^orders-prod-${severity}-`));
  }
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
  const watched = JSON.stringify([alarmsOf(template), template.Resources.Dashboard]);

  // Of an alarm, or of a line of the dashboard, which is JSON in JSON.
  const metrics = watched.matchAll(/"Namespace":"Orders","MetricName":"(\w+)"|\[\\"Orders\\",\\"(\w+)\\"/g);
  const names = [...metrics].map(([, alarm, line]) => alarm ?? line);

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
] as const)("only alarms of their severity may publish to %s", ([id, severity]) => {
  const alarms = expect.stringMatching(`:alarm:orders-prod-${severity}-\\*$`);
  const condition = {
    StringEquals: { "aws:SourceAccount": ref("AWS::AccountId") },
    ArnLike: { "aws:SourceArn": { "Fn::Sub": alarms } },
  };
  const service = { Service: "cloudwatch.amazonaws.com" };
  expect(templateOf("prod").Resources[`${id}Policy`]?.Properties).toMatchObject({
    Topics: [ref(id)],
    PolicyDocument: { Statement: [{ Principal: service, Action: "sns:Publish", Condition: condition }] },
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
