import {
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  ListSchedulesCommand,
  ValidationException,
} from "@aws-sdk/client-scheduler";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAR_AWAY, type Harness, QUEUE_ARN, refusal, schedule, startHarness, target } from "./harness.ts";

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
    ["a client token of 65 characters", { ClientToken: "t".repeat(65) }, /'clientToken' .* less than or equal to 64$/],
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
    ["another time zone", { ScheduleExpressionTimezone: "Europe/Berlin" }, /Europe\/Berlin.*UTC only/],
    ["no target", { Target: undefined }, /Value null at 'target' .* Member must not be null$/],
    ["no flexible time window", { FlexibleTimeWindow: undefined }, /'flexibleTimeWindow' .* must not be null$/],
    ["a flexible window without its length", { FlexibleTimeWindow: { Mode: "FLEXIBLE" } }, /MaximumWindowInMinutes/],
    [
      "a flexible window of over a day",
      { FlexibleTimeWindow: { Mode: "FLEXIBLE", MaximumWindowInMinutes: 1441 } },
      /'flexibleTimeWindow.maximumWindowInMinutes' .* value less than or equal to 1440$/,
    ],
    ["a target that is no ARN", { Target: target({ Arn: "completeOrder" }) }, "Provided Arn is not in correct format."],
    ["a target that is no function", { Target: target({ Arn: QUEUE_ARN }) }, /is not a Lambda function/],
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
