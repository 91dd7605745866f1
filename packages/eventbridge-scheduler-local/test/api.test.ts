import { request } from "node:http";
import {
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  ListSchedulesCommand,
  SchedulerServiceException,
  TagResourceCommand,
  ValidationException,
} from "@aws-sdk/client-scheduler";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAR_AWAY, type Harness, QUEUE_ARN, refusal, schedule, startHarness, target } from "./harness.ts";

describe("requests", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness[Symbol.asyncDispose]());

  describe("a request", () => {
    const headers = { Authorization: "AWS4-HMAC-SHA256 Credential=local/20260101/eu-central-1/scheduler/aws4_request" };

    function post(body: string, more: Record<string, string> = headers) {
      return fetch(`${harness.url}/schedules/raw`, { method: "POST", body, headers: more });
    }

    test.each(["{", "[]", "null", ""])("with the body %j is refused", async (body) => {
      const reply = await post(body);
      expect(reply.status).toBe(400);
      expect(reply.headers.get("x-amzn-errortype")).toBe("SerializationException");
    });

    test("without a signature is refused, as AWS refuses it", async () => {
      const reply = await post("{}", {});
      expect(reply.status).toBe(403);
      expect(reply.headers.get("x-amzn-errortype")).toBe("MissingAuthenticationTokenException");
    });

    test("of a web page of another origin is refused, with a signature or without", async () => {
      const origin = "https://evil.example";
      for (const path of ["/schedules", "/_local/dead-letters"]) {
        const reply = await fetch(`${harness.url}${path}`, { headers: { ...headers, origin } });
        expect(reply.status).toBe(403);
        expect(reply.headers.get("x-amzn-errortype")).toBe("AccessDeniedException");
      }
    });

    test("with a body of over 2 MB is refused", async () => {
      expect((await post(" ".repeat(30_000_000))).status).toBe(413);
    });

    test("for a path that is not well encoded is refused", async () => {
      expect((await fetch(`${harness.url}/schedules/%ff`, { headers })).status).toBe(400);
    });

    test("for an operation that is not here names those that are", async () => {
      const error = await refusal(
        harness.client.send(
          new TagResourceCommand({
            ResourceArn: "arn:aws:scheduler:eu-central-1:123456789012:schedule-group/a",
            Tags: [],
          }),
        ),
      );
      expect(error).toBeInstanceOf(SchedulerServiceException);
      expect(error).toMatchObject({
        name: "UnknownOperationException",
        message: expect.stringContaining("CreateSchedule"),
      });
    });

    test("whose client goes away halfway is no bug of ours", async () => {
      const abandoned = request(`${harness.url}/schedules/raw`, { method: "POST", headers });
      abandoned.on("error", () => undefined); // its own end, below
      abandoned.setHeader("Content-Length", "100");
      await new Promise<void>((resolve) => abandoned.write("{", () => resolve()));
      expect((await post("{")).status).toBe(400); // the server has read the half by now
      abandoned.destroy();
      expect((await post("{")).status).toBe(400);
    });

    test("is never logged as a bug of ours", () => {
      expect(harness.log).toEqual([]);
    });
  });
});

describe("validation", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness[Symbol.asyncDispose]());

  function create(input: CreateScheduleCommandInput) {
    return harness.client.send(new CreateScheduleCommand(input));
  }

  describe("a schedule", () => {
    test.each<[string, Partial<CreateScheduleCommandInput>, string | RegExp]>([
      [
        "a name with a character out of the pattern",
        { Name: "a/b c" },
        "1 validation error detected: Value 'a/b c' at 'name' failed to satisfy constraint: " +
          "Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$",
      ],
      ["a name of 65 characters", { Name: "n".repeat(65) }, /'name' .* length less than or equal to 64$/],
      [
        "a client token of 65 characters",
        { ClientToken: "t".repeat(65) },
        /'clientToken' .* less than or equal to 64$/,
      ],
      ["a client token with a dot", { ClientToken: "a.b" }, /'clientToken' .* pattern: \^\[a-zA-Z0-9-_\]\+\$$/],
      ["an expression that is none", { ScheduleExpression: "tomorrow" }, "Invalid Schedule Expression tomorrow."],
      ["an hour that no day has", { ScheduleExpression: "at(2099-01-01T24:00:00)" }, /^Invalid Schedule Expression at/],
      [
        "a day that no calendar has",
        { ScheduleExpression: "at(2099-02-30T00:00:00)" },
        /^Invalid Schedule Expression at/,
      ],
      [
        "a second with a fraction",
        { ScheduleExpression: "at(2099-01-01T00:00:00.5)" },
        /^Invalid Schedule Expression at/,
      ],
      ["a second with a zone", { ScheduleExpression: "at(2099-01-01T00:00:00Z)" }, /^Invalid Schedule Expression at/],
      ["a time in the past", { ScheduleExpression: "at(2020-01-01T00:00:00)" }, /at\(2020.*in the past/],
      ["a rate", { ScheduleExpression: "rate(5 minutes)" }, /rate\(5 minutes\).*one-time schedules only/],
      ["a cron expression", { ScheduleExpression: "cron(0 8 * * ? *)" }, /cron\(0 8.*one-time schedules only/],
      [
        "an unknown time zone",
        { ScheduleExpressionTimezone: "Europe/Atlantis" },
        "Invalid Schedule Expression Timezone Europe/Atlantis.",
      ],
      [
        "an hour that is skipped",
        { ScheduleExpression: "at(2099-03-29T02:30:00)", ScheduleExpressionTimezone: "Europe/Berlin" },
        /does not exist in Europe\/Berlin/,
      ],
      [
        "a window although Mode is OFF",
        { FlexibleTimeWindow: { Mode: "OFF", MaximumWindowInMinutes: 5 } },
        /MaximumWindowInMinutes/,
      ],
      ["an Input that is not JSON", { Target: target({ Input: "text" }) }, /must be valid JSON/],
      [
        "parameters of another target",
        { Target: target({ SqsParameters: { MessageGroupId: "a" } }) },
        /'target.sqsParameters'.* not supported/,
      ],
      ["a KMS key", { KmsKeyArn: "arn:aws:kms:eu-central-1:123456789012:key/a" }, /'kmsKeyArn'.* not supported/],
      ["no target", { Target: undefined }, /Value null at 'target' .* Member must not be null$/],
      ["no flexible time window", { FlexibleTimeWindow: undefined }, /'flexibleTimeWindow' .* must not be null$/],
      ["a flexible window without its length", { FlexibleTimeWindow: { Mode: "FLEXIBLE" } }, /MaximumWindowInMinutes/],
      [
        "a flexible window of over a day",
        { FlexibleTimeWindow: { Mode: "FLEXIBLE", MaximumWindowInMinutes: 1441 } },
        /'flexibleTimeWindow.maximumWindowInMinutes' .* value less than or equal to 1440$/,
      ],
      [
        "a target that is no ARN",
        { Target: target({ Arn: "completeOrder" }) },
        "Provided Arn is not in correct format.",
      ],
      ["a target that is no function", { Target: target({ Arn: QUEUE_ARN }) }, /No target arn:aws:sqs.* is known/],
      ["a role that is none", { Target: target({ RoleArn: "admin" }) }, /'target.roleArn' .* pattern: \^arn:aws/],
      ["an Input over 256 KB", { Target: target({ Input: "ä".repeat(131_073) }) }, /'target.input' .* 262144$/],
      ["186 retries", { Target: target({ RetryPolicy: { MaximumRetryAttempts: 186 } }) }, /equal to 185$/],
      ["an event age of 59 s", { Target: target({ RetryPolicy: { MaximumEventAgeInSeconds: 59 } }) }, /equal to 60$/],
      [
        "a FIFO dead-letter queue",
        { Target: target({ DeadLetterConfig: { Arn: `${QUEUE_ARN}.fifo` } }) },
        /'target.dead/,
      ],
    ])("with %s is refused", async (_, changes, message) => {
      const input = { ...schedule("refused", FAR_AWAY), ...changes };
      const error = await refusal(create(input));
      expect(error).toBeInstanceOf(ValidationException);
      expect(error).toMatchObject({
        message: typeof message === "string" ? message : expect.stringMatching(message),
        $metadata: { httpStatusCode: 400 },
      });
      expect((error as Error).message.length).toBeLessThan(600);
      expect((await harness.client.send(new ListSchedulesCommand())).Schedules).toEqual([]);
    });

    test("with several faults is told all of them", async () => {
      const error = await refusal(create({ ...schedule("bad name", FAR_AWAY), Target: undefined }));
      expect(error).toMatchObject({
        message: expect.stringMatching(/^2 validation errors detected: .*'name'.*; .*'target'/),
      });
    });
  });
});
