import type { z } from "zod";

const MAX_QUOTE_LENGTH = 200;

/**
 * An error of the service in its REST-JSON protocol. `type` is sent in the header `x-amzn-errortype`, by which the SDK
 * chooses the exception class.
 */
export class SchedulerError extends Error {
  readonly status: number;
  readonly type: string;

  constructor(status: number, type: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SchedulerError";
    this.status = status;
    this.type = type;
  }
}

/** A refused request; `message` is what the client reads. */
export function validationError(message: string): SchedulerError {
  return new SchedulerError(400, "ValidationException", message);
}

export function notFound(resource: "Schedule" | "Schedule group", name: string): SchedulerError {
  return new SchedulerError(404, "ResourceNotFoundException", `${resource} ${name} does not exist.`);
}

/** The name belongs to another schedule, or to one that was created with another client token or other parameters. */
export function alreadyExists(resource: "Schedule" | "Schedule group", name: string): SchedulerError {
  return new SchedulerError(409, "ConflictException", `${resource} ${name} already exists.`);
}

/**
 * What `schema` makes of `input`.
 *
 * @throws SchedulerError a ValidationException that names every member at fault, in AWS's wording.
 */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input, { reportInput: true });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.flatMap(describe);
  const count = faults.length === 1 ? "1 validation error" : `${faults.length} validation errors`;
  throw validationError(`${count} detected: ${faults.join("; ")}`);
}

function describe(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unsupported([...issue.path, key]));
  const member = memberOf(issue.path);
  const absent = issue.input === undefined || issue.input === null;
  const fault = absent ? "Member must not be null" : constraint(issue);
  return [`Value ${absent ? "null" : quote(issue.input)} at '${member}' failed to satisfy constraint: ${fault}`];
}

/** A member that AWS has, or a slip of the pen. AWS ignores the latter. */
function unsupported(path: readonly PropertyKey[]): string {
  return `Member '${memberOf(path)}' is not supported by this local Scheduler`;
}

function memberOf(path: readonly PropertyKey[]): string {
  return path.map((part) => String(part).replace(/^./, (first) => first.toLowerCase())).join(".");
}

/** Truncated, because the message would be as long as an Input that is too long. */
function quote(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > MAX_QUOTE_LENGTH ? `'${text.slice(0, MAX_QUOTE_LENGTH)}…'` : `'${text}'`;
}

function constraint(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "too_small":
      return `Member must have ${measure(issue.origin)} greater than or equal to ${issue.minimum}`;
    case "too_big":
      return `Member must have ${measure(issue.origin)} less than or equal to ${issue.maximum}`;
    case "invalid_format":
      return `Member must satisfy regular expression pattern: ${(issue.pattern ?? "").replace(/^\/|\/$/g, "")}`;
    case "invalid_value":
      return `Member must satisfy enum value set: [${issue.values.join(", ")}]`;
    case "invalid_type":
      return `Member must be of type ${issue.expected}`;
    default:
      return issue.message;
  }
}

function measure(origin: string): string {
  return origin === "string" ? "length" : "value";
}
