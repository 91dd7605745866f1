import { z } from "zod";
import { validationError } from "./errors.ts";
import type { Expression } from "./expression.ts";

const MAX_INPUT_BYTES = 256 * 1024;

const ARN = /^arn:aws(?:-[a-z]+)*:(?<service>[a-z0-9-]+):[a-z0-9-]*:\d*:(?<resource>.+)$/;
const FUNCTION = /^function:(?<name>[a-zA-Z0-9-_]+)(?::(?<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?$/;

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
  .strictObject({
    Mode: z.enum(["OFF", "FLEXIBLE"]),
    MaximumWindowInMinutes: z.int().min(1).max(1440).optional(),
  })
  .refine(({ Mode, MaximumWindowInMinutes }) => (Mode === "FLEXIBLE") === (MaximumWindowInMinutes !== undefined), {
    message: "MaximumWindowInMinutes must be set when Mode is FLEXIBLE, and only then",
  });

const retryPolicySchema = z.strictObject({
  MaximumEventAgeInSeconds: z.int().min(60).max(86_400).default(86_400),
  MaximumRetryAttempts: z.int().min(0).max(185).default(185),
});

const targetSchema = z.strictObject({
  Arn: z.string().min(1).max(1600),
  RoleArn: z
    .string()
    .min(1)
    .max(1600)
    .regex(/^arn:aws(-[a-z]+)?:iam::\d{12}:role\/[\w+=,.@/-]+$/),
  DeadLetterConfig: z
    .strictObject({
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
});

/** In seconds since 1970. GetSchedule shows whole ones, as moto's tests say. */
const dateSchema = z.number().transform(Math.floor);

/**
 * A schedule as in its request, with the defaults that GetSchedule shows. AWS ignores
 * StartDate and EndDate for one-time schedules (API_CreateSchedule), and so does this. A member that is not known here is an
 * error, never ignored.
 */
export const definitionSchema = z.strictObject({
  Name: nameSchema,
  GroupName: nameSchema.default("default"),
  ScheduleExpression: z.string().min(1).max(256),
  ScheduleExpressionTimezone: z.string().min(1).max(50).default("UTC"),
  StartDate: dateSchema.optional(),
  EndDate: dateSchema.optional(),
  Description: z.string().max(512).optional(),
  State: stateSchema.default("ENABLED"),
  Target: targetSchema,
  FlexibleTimeWindow: flexibleTimeWindowSchema,
  ActionAfterCompletion: z.enum(["NONE", "DELETE"]).default("NONE"),
});

type TargetDefinition = z.output<typeof targetSchema>;
export type ScheduleDefinition = z.output<typeof definitionSchema>;

/** Where the events of a schedule go. */
export interface Target {
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
  readonly region: string;
  readonly account: string;
  readonly definition: ScheduleDefinition;
  readonly clientToken: string;
  readonly target: Target;
  readonly expression: Expression;
  /** The first time at which it is due. */
  readonly dueMs: number;
  readonly createdMs: number;
  readonly modifiedMs: number;
}

/** The next time of a schedule after `dueMs`, or undefined when that was the last. */
export function timeAfter({ definition, expression, modifiedMs }: Schedule, dueMs: number): number | undefined {
  return expression.oneTime ? undefined : timeFrom(dueMs + 1, definition, expression, modifiedMs);
}

/**
 * The first time of a recurring schedule at or after `fromMs`, from its StartDate to its EndDate. A rate counts from its
 * StartDate, or begins at once: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based
 */
export function timeFrom(
  fromMs: number,
  { StartDate, EndDate }: ScheduleDefinition,
  expression: Expression,
  createdMs: number,
): number | undefined {
  const startMs = StartDate === undefined ? createdMs : StartDate * 1000;
  const timeMs = expression.next(Math.max(fromMs, startMs), startMs);
  return timeMs !== undefined && EndDate !== undefined && timeMs > EndDate * 1000 ? undefined : timeMs;
}

/**
 * Resolves the ARNs of targets: those in `urls` are HTTP targets, and Lambda functions are invoked when `hasLambda`.
 * @param urls by target ARN
 */
export function createTargetResolver(urls: Readonly<Record<string, string>>, hasLambda: boolean): TargetResolver {
  return ({ Arn, Input }) => {
    const { service, resource = "" } = ARN.exec(Arn)?.groups ?? {};
    if (service === undefined) throw validationError("Provided Arn is not in correct format.");
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
    return { name: name ?? resource, lambda, url };
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
