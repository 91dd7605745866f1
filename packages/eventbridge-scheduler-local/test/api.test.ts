import { request } from "node:http";
import { type CreateScheduleCommandInput, ListSchedulesCommand, ValidationException } from "@aws-sdk/client-scheduler";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseExpression } from "../src/expression.ts";
import { type Harness, QUEUE_ARN, schedule, startHarness, target } from "./harness.ts";

const headers = { authorization: "AWS4-HMAC-SHA256 Credential=local/20260101/eu-central-1/scheduler/aws4_request" };

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

describe("a request", () => {
  async function send(path: string, request: RequestInit = {}) {
    const reply = await fetch(`${harness.url}${path}`, { headers, ...request });
    return [reply.status, reply.headers.get("x-amzn-errortype")];
  }
  const post = (body: string) => ["/schedules/raw", { method: "POST", body }] as const;
  const foreign = { headers: { ...headers, origin: "https://evil.example" } };

  test.for<[string, readonly [string, RequestInit?], number, string]>([
    ["with half a JSON body", post("{"), 400, "SerializationException"],
    ["with a body that is no object", post("[]"), 400, "SerializationException"],
    ["with a body of over 2 MB", post(" ".repeat(30_000_000)), 413, "RequestEntityTooLargeException"],
    ["without a signature", ["/schedules", { headers: {} }], 403, "MissingAuthenticationTokenException"],
    ["of a web page of another origin", ["/schedules", foreign], 403, "AccessDeniedException"],
    ["of such a page for dead letters", ["/_local/dead-letters", foreign], 403, "AccessDeniedException"],
    ["for a path that is not well encoded", ["/schedules/%ff"], 400, "ValidationException"],
  ])("%s is refused", async ([, [path, request], status, type]) => {
    expect(await send(path, request)).toEqual([status, type]);
    expect(harness.log).toEqual([]);
  });

  test("for an operation that is not here names those that are", async () => {
    const reply = await fetch(`${harness.url}/schedules/a/pause`, { method: "POST", headers });
    expect([reply.status, reply.headers.get("x-amzn-errortype")]).toEqual([404, "UnknownOperationException"]);
    expect(await reply.text()).toContain("CreateSchedule");
  });

  test("whose client goes away halfway is no bug of ours", async () => {
    const abandoned = request(`${harness.url}/schedules/raw`, { method: "POST", headers });
    abandoned.on("error", () => undefined); // its own end, below
    abandoned.setHeader("Content-Length", "100");
    await new Promise<void>((resolve) => abandoned.write("{", () => resolve()));
    expect((await send(...post("{")))[0]).toBe(400); // the server has read the half by now
    abandoned.destroy();
    expect((await send(...post("{")))[0]).toBe(400);
    expect(harness.log).toEqual([]);
  });
});

test("a time that is none, or no time of its zone, is refused", () => {
  for (const [expression, message, zone = "UTC"] of [
    ["tomorrow", "Invalid Schedule Expression tomorrow."],
    ["at(2099-01-01T24:00:00)", "Invalid Schedule Expression at"],
    ["at(2099-02-30T00:00:00)", "Invalid Schedule Expression at"],
    ["at(2099-01-01T00:00:00.5)", "Invalid Schedule Expression at"],
    ["rate(0 minutes)", "Invalid Schedule Expression rate(0 minutes)."],
    ["rate(5 seconds)", "Invalid Schedule Expression rate"],
    ["cron(bad)", "Invalid Schedule Expression cron(bad)."],
    ["cron(0 25 * * ? *)", "Invalid Schedule Expression cron"],
    ["cron(0 8 * * * *)", "Invalid Schedule Expression cron"],
    ["cron(0 8 ? * ? *)", "Invalid Schedule Expression cron"],
    ["cron(0 8 * * ?)", "Invalid Schedule Expression cron"],
    ["rate(1 minute)", "Timezone Europe/Atlantis", "Europe/Atlantis"],
    ["at(2099-01-01T00:00:00)", "Timezone Europe/Atlantis", "Europe/Atlantis"],
    ["at(2099-03-29T02:30:00)", "does not exist in Europe/Berlin", "Europe/Berlin"],
  ] as const) {
    expect(() => parseExpression(expression, zone)).toThrow(message);
  }
});

describe("a schedule", () => {
  const recurring = (dates: { StartDate?: Date; EndDate?: Date }) => ({ ScheduleExpression: "rate(1 hour)", ...dates });
  const raw = { Metadata: { source: "shop" } };
  const window = (Mode: "OFF" | "FLEXIBLE", MaximumWindowInMinutes?: number) => ({
    FlexibleTimeWindow: { Mode, MaximumWindowInMinutes },
  });

  test.each<[string, Partial<CreateScheduleCommandInput>, RegExp]>([
    [
      "a name with a character out of the pattern",
      { Name: "a/b c" },
      /^1 validation error detected: Value 'a\/b c' at 'name' failed to satisfy constraint: .* pattern: \^\[0-9a-zA-Z-_.]\+\$$/,
    ],
    ["a name of 65 characters", { Name: "n".repeat(65) }, /'name' .* length less than or equal to 64$/],
    ["a client token with a dot", { ClientToken: "a.b" }, /'clientToken' .* pattern: \^\[a-zA-Z0-9-_\]\+\$$/],
    ["a time in the past", { ScheduleExpression: "at(2020-01-01T00:00:00)" }, /at\(2020.*in the past/],
    [
      "a cron expression that is none",
      { ScheduleExpression: "cron(bad)" },
      /^Invalid Schedule Expression cron\(bad\)\.$/,
    ],
    [
      "a year that has passed",
      { ScheduleExpression: "cron(0 8 1 1 ? 2020)" },
      /cron\(0 8 1 1 \? 2020\)\. It is never due/,
    ],
    [
      "a StartDate that has passed",
      recurring({ StartDate: new Date(Date.now() - 360_000) }),
      /^The StartDate .* 5 minutes ago/,
    ],
    [
      "an EndDate that has passed",
      recurring({ EndDate: new Date(Date.now() - 1000) }),
      /^The EndDate you specify must be/,
    ],
    ["a window although Mode is OFF", window("OFF", 5), /MaximumWindowInMinutes/],
    ["a flexible window without its length", window("FLEXIBLE"), /MaximumWindowInMinutes/],
    ["a flexible window of over a day", window("FLEXIBLE", 1441), /'flexibleTimeWindow.max.* or equal to 1440$/],
    ["no target", { Target: undefined }, /Value null at 'target' .* Member must not be null$/],
    ["a target that is no ARN", { Target: target({ Arn: "a" }) }, /^Provided Arn is not in correct format\.$/],
    ["a target that is no function", { Target: target({ Arn: QUEUE_ARN }) }, /No target arn:aws:sqs.* is known/],
    ["a role that is none", { Target: target({ RoleArn: "admin" }) }, /'target.roleArn' .* pattern: \^arn:aws/],
    ["an Input that is not JSON", { Target: target({ Input: "text" }) }, /must be valid JSON/],
    ["an Input over 256 KB", { Target: target({ Input: "ä".repeat(131_073) }) }, /'target.input' .* 262144$/],
    ["parameters of SQS", { Target: target({ SqsParameters: {} }) }, /^1 .*'target.sqsParameters'.* not supported/],
    [
      "parameters of EventBridge",
      { Target: target({ EventBridgePutEventsV2Parameters: undefined, EventBridgePutRawEventsParameters: raw }) },
      /^1 .*'target.eventBridgePutRawEventsParameters' is not supported/,
    ],
    ["a KMS key", { KmsKeyArn: "arn:aws:kms:eu-central-1:123456789012:key/a" }, /'kmsKeyArn'.* not supported/],
    ["186 retries", { Target: target({ RetryPolicy: { MaximumRetryAttempts: 186 } }) }, /equal to 185$/],
    ["an event age of 59 s", { Target: target({ RetryPolicy: { MaximumEventAgeInSeconds: 59 } }) }, /equal to 60$/],
    ["a FIFO queue", { Target: target({ DeadLetterConfig: { Arn: `${QUEUE_ARN}.fifo` } }) }, /'target.deadLetter/],
    ["several faults", { Name: "bad name", Target: undefined }, /^2 validation errors .*'name'.*; .*'target'/],
  ])("with %s is refused", async (_, changes, message) => {
    const error = await harness.create({ ...schedule("refused"), ...changes }).catch((error: unknown) => error);
    if (!(error instanceof ValidationException)) throw new Error("It was not refused", { cause: error });
    expect(error.$metadata.httpStatusCode).toBe(400);
    expect(error.message).toMatch(message);
    expect(error.message.length).toBeLessThan(600);
    expect((await harness.client.send(new ListSchedulesCommand())).Schedules).toEqual([]);
  });
});
