import { createRequire } from "node:module";
import { json } from "node:stream/consumers";
import { expect, test } from "vitest";
import { z } from "zod";
import { ROLLBACK_ALARMS } from "../../infra/alarms.ts";
import InfrastructurePlugin from "../../infra/plugin.ts";
import { rollbackConfiguration } from "../../infra/rollback-triggers.ts";
import { stackResources } from "../../infra/stack.ts";
import { answering, json as reply } from "../support/servers.ts";
import { alarmsOf } from "./replay.ts";
import { PARAMETERS, parametersOf, Template } from "./template.ts";

const STACK = "orders-prod";
const NAMES = ROLLBACK_ALARMS.map((name) => `${STACK}-page-${name}`);
const arnOf = (name: string) => `arn:aws:cloudwatch:eu-central-1:111122223333:alarm:${name}`;
const Request = z.object({ AlarmNames: z.array(z.string()) });

/** The configuration with a CloudWatch that has these alarms (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html). */
async function configurationWith(states: Readonly<Record<string, string>>, minutes: number | undefined) {
  const endpoint = await answering(async (request, response) => {
    const { AlarmNames } = Request.parse(await json(request));
    const MetricAlarms = AlarmNames.filter((name) => states[name]).map((AlarmName) => ({
      AlarmName,
      AlarmArn: arnOf(AlarmName),
      StateValue: states[AlarmName],
    }));
    reply(200, { MetricAlarms, CompositeAlarms: [] })(request, response);
  });
  const credentials = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "example" };
  return rollbackConfiguration(STACK, minutes, { region: "eu-central-1", endpoint, credentials });
}

test("five alarms of the stack take a deploy back: as many as CloudFormation accepts", async () => {
  const template = Template.parse(stackResources(STACK, parametersOf("prod")));
  expect(alarmsOf(template).map(({ AlarmName }) => AlarmName)).toEqual(expect.arrayContaining(NAMES));
  expect(NAMES).toHaveLength(5);

  expect(await configurationWith(Object.fromEntries(NAMES.map((name) => [name, "OK"])), 10)).toEqual({
    RollbackTriggers: NAMES.map((name) => ({ Arn: arnOf(name), Type: "AWS::CloudWatch::Alarm" })),
    MonitoringTimeInMinutes: 10,
  });
});

test("an alarm that does not exist yet, or fires already, does not take a deploy back", async () => {
  const [first = "", second = ""] = NAMES;
  const { RollbackTriggers } = await configurationWith({ [first]: "ALARM", [second]: "INSUFFICIENT_DATA" }, 10);
  expect(RollbackTriggers.map(({ Arn }) => Arn)).toEqual([arnOf(second)]);
});

test.for([
  ["a first deploy", {}, 10],
  ["a stage that does not watch", { [NAMES[0] ?? ""]: "OK" }, undefined],
] as const)("for %s the triggers of an earlier deploy are removed", async ([, states, minutes]) => {
  expect(await configurationWith(states, minutes)).toEqual({ RollbackTriggers: [], MonitoringTimeInMinutes: 0 });
});

const require = createRequire(import.meta.url);
/** What the framework sends with UpdateStack. It has no types. */
const { getUpdateStackParams } = z
  .object({ getUpdateStackParams: z.function({ input: [z.unknown()], output: z.record(z.string(), z.unknown()) }) })
  .parse(require("serverless/lib/plugins/aws/lib/get-update-stack-params.js"));

/** What UpdateStack gets of the plugin after one of its hooks ran, with a CloudWatch whose alarms are all fine. */
async function sentAfter(hook: "before:deploy:deploy" | "before:rollback:initialize") {
  const endpoint = await answering(async (request, response) => {
    const { AlarmNames } = Request.parse(await json(request));
    const MetricAlarms = AlarmNames.map((AlarmName) => ({ AlarmName, AlarmArn: arnOf(AlarmName), StateValue: "OK" }));
    reply(200, { MetricAlarms, CompositeAlarms: [] })(request, response);
  });
  const aws = {
    region: "eu-central-1",
    endpoint,
    credentials: { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "example" },
  };
  const notices: string[] = [];
  const serverless = {
    processedInput: { commands: ["deploy"], options: {}, isHelpRequest: false },
    configurationInput: { service: "orders", params: PARAMETERS },
    service: { provider: { region: "eu-central-1", stage: "prod" } },
    classes: { Error },
    getProvider: () => ({ getAwsSdkV3Config: async () => aws }),
  };
  const plugin = new InfrastructurePlugin(serverless, {}, { log: { notice: (line) => void notices.push(line) } });
  await plugin.hooks[hook]();
  const framework = { serverless, getSharedStackActionParams: () => ({}), getUpdateStackParams };
  return { configuration: framework.getUpdateStackParams({}).RollbackConfiguration, notices };
}

test("a deploy of prod is sent with its triggers, and a rollback with none", async () => {
  const { configuration, notices } = await sentAfter("before:deploy:deploy");
  expect(configuration).toMatchObject({ MonitoringTimeInMinutes: 10 });
  expect(configuration).toMatchObject({ RollbackTriggers: NAMES.map((name) => ({ Arn: arnOf(name) })) });
  expect(notices).toEqual([expect.stringContaining("watches 5 alarms for 10 minutes")]);

  expect(await sentAfter("before:rollback:initialize")).toEqual({
    configuration: { RollbackTriggers: [], MonitoringTimeInMinutes: 0 },
    notices: [],
  });
});
