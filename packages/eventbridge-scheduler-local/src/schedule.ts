import { z } from "zod";
import { validationError } from "./errors.ts";

const MAX_INPUT_BYTES = 256 * 1024;

const ARN =
  /^arn:(?<partition>aws(?:-[a-z]+)*):(?<service>[a-z0-9-]+):(?<region>[a-z0-9-]*):(?<account>\d*):(?<resource>.+)$/;
const FUNCTION = /^function:(?<name>[a-zA-Z0-9-_]+)(?::(?<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?$/;

const NOT_SUPPORTED = "is not supported by this local Scheduler";

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
  .refine(({ Mode, MaximumWindowInMinutes }) => (Mode === "FLEXIBLE") === (MaximumWindowInMinutes !== undefined), {
    message: "MaximumWindowInMinutes must be set when Mode is FLEXIBLE, and only then",
  });

const retryPolicySchema = z.object({
  MaximumEventAgeInSeconds: z.int().min(60).max(86_400).default(86_400),
  MaximumRetryAttempts: z.int().min(0).max(185).default(185),
});

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
  Input: z
    .string()
    .min(1)
    .refine((text) => Buffer.byteLength(text) <= MAX_INPUT_BYTES, {
      message: `Member must have length less than or equal to ${MAX_INPUT_BYTES}`,
    })
    .optional(),
  RetryPolicy: retryPolicySchema.prefault({}),
  EcsParameters: unsupported(),
  EventBridgeParameters: unsupported(),
  KinesisParameters: unsupported(),
  SageMakerPipelineParameters: unsupported(),
  SqsParameters: unsupported(),
});

/**
 * A schedule as in its request, with the defaults that GetSchedule shows. Dates are in seconds since 1970. AWS ignores
 * StartDate and EndDate for one-time schedules (API_CreateSchedule), and so does this.
 */
export const definitionSchema = z.object({
  Name: nameSchema,
  GroupName: nameSchema.default("default"),
  ScheduleExpression: z.string().min(1).max(256),
  ScheduleExpressionTimezone: z.string().min(1).max(50).default("UTC"),
  StartDate: z.number().optional(),
  EndDate: z.number().optional(),
  Description: z.string().max(512).optional(),
  State: stateSchema.default("ENABLED"),
  KmsKeyArn: unsupported(),
  Target: targetSchema,
  FlexibleTimeWindow: flexibleTimeWindowSchema,
  ActionAfterCompletion: z.enum(["NONE", "DELETE"]).default("NONE"),
});

type TargetDefinition = z.output<typeof targetSchema>;
export type ScheduleDefinition = z.output<typeof definitionSchema>;

/** The target of a schedule. A schedule has the partition, Region and account of its target. */
export interface Target {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
  /** For log lines. */
  readonly name: string;
  /** A Lambda function; with `qualifier`, a version or an alias of it. Undefined for an HTTP target. */
  readonly lambda: { readonly name: string; readonly qualifier: string | undefined } | undefined;
  /** The URL of an HTTP target. */
  readonly url: string | undefined;
}

/** @throws SchedulerError a ValidationException when there is no such target here */
export type TargetResolver = (target: TargetDefinition) => Target;

/** A schedule that exists here. Times are in ms since 1970. */
export interface Schedule {
  readonly arn: string;
  readonly definition: ScheduleDefinition;
  readonly clientToken: string;
  readonly target: Target;
  readonly dueMs: number;
  readonly createdMs: number;
  readonly modifiedMs: number;
}

/**
 * Resolves the ARNs of targets: those in `urls` are HTTP targets, and Lambda functions are invoked when `hasLambda`.
 * @param urls by target ARN
 */
export function createTargetResolver(urls: Readonly<Record<string, string>>, hasLambda: boolean): TargetResolver {
  return ({ Arn, Input }) => {
    const { partition, service, region = "", account = "", resource = "" } = ARN.exec(Arn)?.groups ?? {};
    if (partition === undefined) throw validationError("Provided Arn is not in correct format.");
    const url = urls[Arn];
    const { name, qualifier } = (service === "lambda" && FUNCTION.exec(resource)?.groups) || {};
    if (url === undefined && (name === undefined || !hasLambda)) {
      throw validationError(
        `No target ${Arn} is known to this local Scheduler: it invokes Lambda functions with a Lambda endpoint, and other targets by a URL for their ARN.`,
      );
    }
    if (name !== undefined && Input !== undefined && !isJson(Input)) {
      throw validationError("Invalid Target Input: the Input of a Lambda function must be valid JSON.");
    }
    const lambda = url === undefined && name !== undefined ? { name, qualifier } : undefined;
    return { partition, region, account, name: name ?? resource, lambda, url };
  };
}

/** A member that AWS supports and this Scheduler does not: it is refused, never ignored. */
export function unsupported() {
  return z
    .unknown()
    .refine((value) => value === undefined, NOT_SUPPORTED)
    .optional();
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
