import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";

const PROJECT = join(import.meta.dirname, "../..");
const GUIDE = await readFile(join(PROJECT, "docs/operations.md"), "utf8");

const oneOrMore = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());
const Policy = z.object({
  Statement: z.array(z.object({ Effect: z.literal("Allow"), Action: oneOrMore, Resource: oneOrMore })),
});
type Statement = z.infer<typeof Policy>["Statement"][number];

const statementsOf = async (name: string): Promise<Statement[]> =>
  Policy.parse(JSON.parse(await readFile(join(PROJECT, `infra/policies/${name}.json`), "utf8"))).Statement;

const [deploy, operate] = [await statementsOf("deploy"), await statementsOf("operate")];

/** Rights that nobody on call has: whoever deploys moves a stage, and an administrator makes and removes it. */
const OF_ADMINISTRATORS = [
  "iam:CreatePolicy",
  "lambda:DeleteFunctionConcurrency",
  "lambda:PutFunctionConcurrency",
  "secretsmanager:CreateSecret",
  "secretsmanager:DeleteSecret",
];

/** Where the CLI's names are not those of the API. */
const ACTIONS: Readonly<Record<string, string>> = { "lambda:Invoke": "lambda:InvokeFunction" };

/** Actions that accept no resource (Service Authorization Reference): a policy that names one denies them. */
const WITHOUT_RESOURCE = [
  "cloudwatch:GetMetricData",
  "cloudwatch:ListMetrics",
  "events:ListRules",
  "lambda:GetAccountSettings",
  "logs:DescribeLogGroups",
  "servicequotas:ListServiceQuotas",
  "sns:GetSubscriptionAttributes",
  "sns:Unsubscribe",
];

/** `aws events list-rules` is events:ListRules. */
function actionOf(service: string, operation: string): string {
  const name = operation.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return ACTIONS[`${service}:${name}`] ?? `${service}:${name}`;
}

const allows = (statements: readonly Statement[], action: string) =>
  statements.some(({ Action }) => Action.includes(action));

test("a person on call may run every command of the guide, but for those of administrators", () => {
  const commands = [...GUIDE.matchAll(/\baws ([a-z]+) ([a-z]+(?:-[a-z]+)*)/g)];
  const actions = new Set(commands.map(([, service = "", operation = ""]) => actionOf(service, operation)));

  expect(actions.size).toBeGreaterThan(10);
  expect([...actions].filter((action) => !allows(operate, action)).toSorted()).toEqual(OF_ADMINISTRATORS);
});

test("actions that accept no resource are allowed on all", () => {
  for (const { Action, Resource } of [...deploy, ...operate]) {
    if (Action.some((action) => WITHOUT_RESOURCE.includes(action))) expect(Resource).toEqual(["*"]);
  }
  expect(WITHOUT_RESOURCE.filter((action) => !allows(operate, action))).toEqual([]);
});

test("neither policy names another stage", () => {
  const names = [...deploy, ...operate].flatMap(({ Resource }) => Resource).filter((name) => name.includes("orders"));

  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !/\borders[-/]STAGE\b/.test(name))).toEqual([]);
});
