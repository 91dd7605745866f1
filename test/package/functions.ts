import { describe, expect, test } from "vitest";
import { z } from "zod";
import { arnOf, ref, resource, resourcesOf, type Template } from "../support/template.ts";
import type { Rules } from "./form.ts";

const LambdaFunction = z.object({
  Runtime: z.string(),
  Architectures: z.array(z.string()),
  MemorySize: z.int(),
  Timeout: z.int(),
  ReservedConcurrentExecutions: z.int().optional(),
  TracingConfig: z.object({ Mode: z.string() }),
  LoggingConfig: z.object({ LogFormat: z.string(), SystemLogLevel: z.string() }),
  FunctionName: z.string(),
  Environment: z.object({ Variables: z.record(z.string(), z.unknown()) }),
});

const LogGroup = z.object({ LogGroupName: z.string(), RetentionInDays: z.int() });

const Permission = z.object({
  FunctionName: z.unknown(),
  Principal: z.enum(["apigateway.amazonaws.com", "events.amazonaws.com"]),
  SourceArn: z.unknown(),
});

/** Memory in MB and time-out in seconds. */
const SIZES: Record<string, readonly [memory: number, timeout: number]> = {
  CreateOrder: [512, 20],
  GetOrder: [256, 15],
  Docs: [256, 15],
  UnknownRoute: [256, 15],
  CompleteOrder: [256, 15],
  DrainRefunds: [256, 50],
  SweepOrders: [256, 50],
};

const RETENTION_DAYS = { dev: 7, prod: 90 };

const functionsOf = (template: Template) => resourcesOf(template, "AWS::Lambda::Function", LambdaFunction);

export const functions: Rules = (
  made,
  { stage, inventory = "", problemTypes = "", retentionDays = 0, reservedConcurrency },
) => {
  describe("the functions", () => {
    test("have the memory and the time-out that were chosen for them", () => {
      const sizes = [...functionsOf(made().template)].map(([id, { MemorySize, Timeout }]) => [
        id.replace("LambdaFunction", ""),
        [MemorySize, Timeout],
      ]);
      expect(Object.fromEntries(sizes)).toEqual(SIZES);
    });

    test(`${reservedConcurrency ? "have places kept where orders and pollers run" : "share the account's concurrency"}`, () => {
      const reserved = [...functionsOf(made().template)].flatMap(([id, { ReservedConcurrentExecutions: places }]) =>
        places === undefined ? [] : [[id.replace("LambdaFunction", ""), places]],
      );
      const expected = { CreateOrder: reservedConcurrency, CompleteOrder: reservedConcurrency };
      expect(Object.fromEntries(reserved)).toEqual(
        reservedConcurrency ? { ...expected, DrainRefunds: 2, SweepOrders: 2 } : {},
      );
    });

    test("run on Node 24 and arm64, and write JSON under the name of their stage, of Lambda itself only what fails", () => {
      for (const properties of functionsOf(made().template).values()) {
        expect(properties).toMatchObject({
          Runtime: "nodejs24.x",
          Architectures: ["arm64"],
          TracingConfig: { Mode: "PassThrough" },
          LoggingConfig: { LogFormat: "JSON", SystemLogLevel: "WARN" },
          Environment: { Variables: { POWERTOOLS_SERVICE_NAME: `orders-${stage}`, PROBLEM_TYPES_URL: problemTypes } },
        });
      }
    });

    test("are told where the inventory is, where they place orders", () => {
      for (const [id, { Environment }] of functionsOf(made().template)) {
        expect(Environment.Variables.INVENTORY_URL).toBe(id === "CreateOrderLambdaFunction" ? inventory : undefined);
      }
    });

    test("know how long an order is kept, where they place orders", () => {
      for (const [id, { Environment }] of functionsOf(made().template)) {
        const kept = id === "CreateOrderLambdaFunction" ? String(retentionDays) : undefined;
        expect(Environment.Variables.ORDER_RETENTION_DAYS).toBe(kept);
      }
    });

    test("know the bound of order_completed, where they complete orders", () => {
      for (const [id, { Environment }] of functionsOf(made().template)) {
        const completes = ["CompleteOrderLambdaFunction", "SweepOrdersLambdaFunction"].includes(id);
        expect(Environment.Variables.COMPLETED_STREAM_MAX_LENGTH).toBe(completes ? "120000" : undefined);
      }
    });

    test("have a log group each, which exists before them and forgets", () => {
      const { template } = made();
      const groups = resourcesOf(template, "AWS::Logs::LogGroup", LogGroup);
      for (const [id, { FunctionName }] of functionsOf(template)) {
        const group = id.replace("LambdaFunction", "LogGroup");
        expect(groups.get(group)?.LogGroupName).toBe(`/aws/lambda/${FunctionName}`);
        expect(template.Resources[id]?.DependsOn).toContain(group);
      }
      for (const { RetentionInDays } of groups.values()) expect(RetentionInDays).toBe(RETENTION_DAYS[stage]);
    });

    test("may be invoked by this API and by their own rules only", () => {
      const { template } = made();
      for (const permission of resourcesOf(template, "AWS::Lambda::Permission", Permission).values()) {
        const text = JSON.stringify(permission.SourceArn);
        if (permission.Principal === "apigateway.amazonaws.com") expect(text).toContain(JSON.stringify(ref("HttpApi")));
        else expect(permission.SourceArn).toEqual(arnOf(`${idOf(permission.FunctionName)}EventsRuleSchedule1`));
      }
    });

    test("that poll are invoked every minute", () => {
      const Rule = z.object({
        ScheduleExpression: z.string(),
        State: z.string(),
        Targets: z.array(z.object({ Arn: z.unknown() })),
      });
      for (const name of ["DrainRefunds", "SweepOrders"]) {
        expect(resource(made().template, `${name}EventsRuleSchedule1`, Rule)).toEqual({
          ScheduleExpression: "rate(1 minute)",
          State: "ENABLED",
          Targets: [{ Arn: arnOf(`${name}LambdaFunction`) }],
        });
      }
    });
  });
};

function idOf(arn: unknown): string {
  const [id] = z.object({ "Fn::GetAtt": z.tuple([z.string(), z.literal("Arn")]) }).parse(arn)["Fn::GetAtt"];
  return id.replace("LambdaFunction", "");
}
