import { z } from "zod";
import type { LambdaFunction } from "./lambda-arn.ts";

const INPUT_LIMIT_BYTES = 256 * 1024;

/** Also the pattern of a group's name. https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html */
export const nameSchema = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[0-9a-zA-Z-_.]+$/);

export const clientTokenSchema = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[a-zA-Z0-9-_]+$/);

export const stateSchema = z.enum(["ENABLED", "DISABLED"]);

const flexibleTimeWindowSchema = z
  .object({
    Mode: z.enum(["OFF", "FLEXIBLE"]),
    MaximumWindowInMinutes: z.int().min(1).max(1440).optional(),
  })
  .refine((window) => window.Mode === "OFF" || window.MaximumWindowInMinutes !== undefined, {
    message: "MaximumWindowInMinutes must be given when Mode is FLEXIBLE",
  });

const retryPolicySchema = z.object({
  MaximumEventAgeInSeconds: z.int().min(60).max(86_400).default(86_400),
  MaximumRetryAttempts: z.int().min(0).max(185).default(185),
});

// The parameters of other targets (Ecs, Kinesis, Sqs, …) are dropped: only Lambda functions are invoked here.
const targetSchema = z.object({
  Arn: z.string().min(1).max(1600),
  RoleArn: z
    .string()
    .min(1)
    .max(1600)
    .regex(/^arn:aws(-[a-z]+)?:iam::\d{12}:role\/[\w+=,.@/-]+$/),
  DeadLetterConfig: z
    .object({
      Arn: z
        .string()
        .min(1)
        .max(1600)
        .regex(/^arn:aws(-[a-z]+)?:sqs:[a-z0-9-]+:\d{12}:[a-zA-Z0-9\-_]+$/)
        .optional(),
    })
    .optional(),
  // Any text: a context attribute that stands outside quotes makes it JSON only once it is replaced.
  Input: z
    .string()
    .min(1)
    .refine((text) => Buffer.byteLength(text) <= INPUT_LIMIT_BYTES, {
      message: `Member must have length less than or equal to ${INPUT_LIMIT_BYTES}`,
    })
    .optional(),
  RetryPolicy: retryPolicySchema.prefault({}),
});

/** A schedule as its owner described it, with the defaults that GetSchedule shows. Dates are in seconds since 1970. */
export const definitionSchema = z.object({
  Name: nameSchema,
  GroupName: nameSchema.default("default"),
  ScheduleExpression: z.string().min(1).max(256),
  ScheduleExpressionTimezone: z.string().min(1).max(50).default("UTC"),
  StartDate: z.number().optional(),
  EndDate: z.number().optional(),
  Description: z.string().max(512).optional(),
  State: stateSchema.default("ENABLED"),
  KmsKeyArn: z
    .string()
    .min(1)
    .max(2048)
    .regex(/^arn:aws(-[a-z]+)?:kms:[a-z0-9-]+:\d{12}:(key|alias)\/[0-9a-zA-Z-_]*$/)
    .optional(),
  Target: targetSchema,
  FlexibleTimeWindow: flexibleTimeWindowSchema,
  ActionAfterCompletion: z.enum(["NONE", "DELETE"]).default("NONE"),
});

export type ScheduleDefinition = z.output<typeof definitionSchema>;

/** A schedule that exists here. Times are in ms since 1970. */
export interface Schedule {
  readonly arn: string;
  readonly definition: ScheduleDefinition;
  readonly clientToken: string;
  readonly lambda: LambdaFunction;
  readonly dueMs: number;
  readonly createdMs: number;
}
