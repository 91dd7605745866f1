import { describe, expect, test } from "vitest";
import { z } from "zod";
import { arnOf, resource, resourcesOf, type Template } from "../support/template.ts";
import type { Rules } from "./form.ts";

const Strings = z.union([z.string().transform((one) => [one]), z.array(z.string())]);

const Statement = z.object({
  Effect: z.literal("Allow"),
  Action: Strings,
  Resource: z.unknown(),
  Condition: z.unknown().optional(),
});
type Statement = z.infer<typeof Statement>;

const Role = z.strictObject({
  Description: z.unknown(),
  AssumeRolePolicyDocument: z.object({ Statement: z.array(z.unknown()) }),
  Policies: z.array(z.object({ PolicyDocument: z.object({ Statement: z.array(Statement) }) })),
});

const LambdaFunction = z.object({ Role: z.unknown() });

/** Functions that may do nothing besides writing, and those that report their failures too. */
const WRITE_ONLY = ["GetOrder", "Docs", "UnknownRoute"];
const REPORT = ["CompleteOrder", "DrainRefunds", "SweepOrders"];

const TRACES: Statement = {
  Effect: "Allow",
  Action: ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
  Resource: "*",
};

const ownLog = (name: string): Statement => ({
  Effect: "Allow",
  Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
  Resource: arnOf(`${name}LogGroup`),
});

const REPORTING: Statement = { Effect: "Allow", Action: ["sqs:SendMessage"], Resource: arnOf("FailedInvocations") };

function statementsOf(template: Template, role: string): Statement[] {
  return resource(template, role, Role).Policies.flatMap((policy) => policy.PolicyDocument.Statement);
}

const trusting = (service: string, condition?: object) => ({
  Effect: "Allow",
  Principal: { Service: service },
  Action: "sts:AssumeRole",
  ...(condition && { Condition: condition }),
});

export const leastPrivilege: Rules = (made) => {
  describe("least privilege", () => {
    test("every function has a role of its own, which only Lambda may take", () => {
      const { template } = made();
      for (const [id, { Role: role }] of resourcesOf(template, "AWS::Lambda::Function", LambdaFunction)) {
        const own = id.replace("LambdaFunction", "Role");
        expect(role).toEqual(arnOf(own));
        const trust = resource(template, own, Role).AssumeRolePolicyDocument.Statement;
        expect(trust).toEqual([trusting("lambda.amazonaws.com")]);
      }
    });

    test("there are no roles but those of the functions and of the schedules, and no policies but theirs", () => {
      const { template } = made();
      const functions = [...resourcesOf(template, "AWS::Lambda::Function", LambdaFunction).keys()];
      const roles = functions.map((id) => id.replace("LambdaFunction", "Role"));
      expect([...resourcesOf(template, "AWS::IAM::Role", Role).keys()].toSorted()).toEqual(
        [...roles, "CompletionSchedulerRole"].toSorted(),
      );
      const types = Object.values(template.Resources).map(({ Type }) => Type);
      expect(types.filter((type) => type.startsWith("AWS::IAM::") && type !== "AWS::IAM::Role")).toEqual([]);
    });

    test("only createOrder may make schedules, in the group of the completions, and pass on the schedules' role", () => {
      expect(statementsOf(made().template, "CreateOrderRole")).toEqual([
        ownLog("CreateOrder"),
        TRACES,
        {
          Effect: "Allow",
          Action: ["scheduler:CreateSchedule"],
          Resource: {
            "Fn::Sub": expect.stringMatching(
              /^arn:\${AWS::Partition}:scheduler:\${AWS::Region}:\${AWS::AccountId}:schedule\/\${CompletionSchedules}\/\*$/,
            ),
          },
        },
        {
          Effect: "Allow",
          Action: ["iam:PassRole"],
          Resource: arnOf("CompletionSchedulerRole"),
          Condition: { StringEquals: { "iam:PassedToService": "scheduler.amazonaws.com" } },
        },
      ]);
    });

    test("it is told below what each function may do", () => {
      const functions = [...resourcesOf(made().template, "AWS::Lambda::Function", LambdaFunction).keys()];
      expect(functions.toSorted()).toEqual(
        ["CreateOrder", ...WRITE_ONLY, ...REPORT].map((name) => `${name}LambdaFunction`).toSorted(),
      );
    });

    test.for(WRITE_ONLY)("%s may write its log and traces, and nothing else", (name) => {
      expect(statementsOf(made().template, `${name}Role`)).toEqual([ownLog(name), TRACES]);
    });

    test.for(REPORT)("%s may write its log and traces and report failures, and nothing else", (name) => {
      expect(statementsOf(made().template, `${name}Role`)).toEqual([ownLog(name), TRACES, REPORTING]);
    });

    test("a schedule may invoke completeOrder and keep what it could not deliver, and nothing else", () => {
      expect(statementsOf(made().template, "CompletionSchedulerRole")).toEqual([
        { Effect: "Allow", Action: ["lambda:InvokeFunction"], Resource: arnOf("CompleteOrderLambdaFunction") },
        { Effect: "Allow", Action: ["sqs:SendMessage"], Resource: arnOf("UndeliveredCompletions") },
      ]);
    });

    test("the role of the schedules is trusted to Scheduler for this account's group of completions only", () => {
      const { AssumeRolePolicyDocument: trust } = resource(made().template, "CompletionSchedulerRole", Role);
      const condition = {
        StringEquals: {
          "aws:SourceAccount": { Ref: "AWS::AccountId" },
          "aws:SourceArn": arnOf("CompletionSchedules"),
        },
      };
      expect(trust.Statement).toEqual([trusting("scheduler.amazonaws.com", condition)]);
    });

    test("writing traces is the only right on every resource: X-Ray takes none", () => {
      const { template } = made();
      const roles = [...resourcesOf(template, "AWS::IAM::Role", Role).keys()];
      const wide = roles.flatMap((role) => statementsOf(template, role)).filter(({ Resource }) => Resource === "*");
      expect(wide.flatMap(({ Action }) => Action).filter((action) => !action.startsWith("xray:Put"))).toEqual([]);
      expect(JSON.stringify(roles.map((role) => statementsOf(template, role)))).not.toMatch(/"[a-z]+:\*"/);
    });
  });
};
