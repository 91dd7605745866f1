import {
  CreateScheduleCommand,
  DeleteScheduleCommand,
  GetScheduleCommand,
  ResourceNotFoundException,
} from "@aws-sdk/client-scheduler";
import { expect, test } from "vitest";
import { FAR_AWAY, PATIENT, QUEUE_ARN, schedule, soon, startHarness, target } from "./harness.ts";

test("GetSchedule shows all that was given, and when it was made", async () => {
  await using harness = await startHarness();
  const before = Date.now();
  const given = {
    ...schedule("whole", FAR_AWAY),
    ActionAfterCompletion: "NONE" as const,
    Description: "completes an order",
    State: "DISABLED" as const,
    ScheduleExpressionTimezone: "UTC",
    StartDate: new Date("2026-11-23T06:00:00Z"),
    EndDate: new Date("2099-11-23T06:00:00.500Z"),
    KmsKeyArn: "arn:aws:kms:eu-central-1:123456789012:key/1",
    FlexibleTimeWindow: { Mode: "FLEXIBLE" as const, MaximumWindowInMinutes: 1440 },
    Target: target({
      RetryPolicy: { MaximumRetryAttempts: 3, MaximumEventAgeInSeconds: 60 },
      DeadLetterConfig: { Arn: QUEUE_ARN },
    }),
  };
  const { ScheduleArn: Arn } = await harness.client.send(new CreateScheduleCommand(given));

  const { $metadata, CreationDate, LastModificationDate, ...found } = await harness.client.send(
    new GetScheduleCommand({ Name: "whole", GroupName: "orders" }),
  );

  expect(found).toEqual({ ...given, Arn });
  expect(CreationDate?.getTime()).toBeGreaterThanOrEqual(before);
  expect(CreationDate?.getTime()).toBeLessThanOrEqual(Date.now());
  expect(LastModificationDate).toEqual(CreationDate);
});

test("GetSchedule shows the defaults of what was not given", async () => {
  await using harness = await startHarness();
  const { ActionAfterCompletion: _, ...bare } = schedule("bare", FAR_AWAY);
  await harness.client.send(new CreateScheduleCommand(bare));
  expect(await harness.client.send(new GetScheduleCommand({ Name: "bare", GroupName: "orders" }))).toMatchObject({
    State: "ENABLED",
    ScheduleExpressionTimezone: "UTC",
    ActionAfterCompletion: "NONE",
    Target: { RetryPolicy: { MaximumRetryAttempts: 185, MaximumEventAgeInSeconds: 86_400 } },
  });
});

test("an unknown schedule, or one of another group, is not found", async () => {
  await using harness = await startHarness();
  await harness.client.send(new CreateScheduleCommand(schedule("here", FAR_AWAY)));
  for (const command of [
    new GetScheduleCommand({ Name: "here" }),
    new GetScheduleCommand({ Name: "gone", GroupName: "orders" }),
    new DeleteScheduleCommand({ Name: "here" }),
  ]) {
    await expect(harness.client.send(command as GetScheduleCommand)).rejects.toSatisfy(
      (error) =>
        error instanceof ResourceNotFoundException && /^Schedule (here|gone) does not exist\.$/.test(error.message),
    );
  }
  const elsewhere = harness.client.send(new GetScheduleCommand({ Name: "here", GroupName: "nowhere" }));
  await expect(elsewhere).rejects.toThrow("Schedule group nowhere does not exist.");
});

test("a deleted schedule is gone, does not fire, and leaves its name free", async () => {
  await using harness = await startHarness();
  const at = soon();
  await harness.client.send(new CreateScheduleCommand(schedule("name", at)));
  await harness.client.send(new DeleteScheduleCommand({ Name: "name", GroupName: "orders" }));

  const found = harness.client.send(new GetScheduleCommand({ Name: "name", GroupName: "orders" }));
  await expect(found).rejects.toBeInstanceOf(ResourceNotFoundException);
  const successor = schedule("name", at + 1000, { Target: target({ Input: '"successor"' }) });
  await harness.client.send(new CreateScheduleCommand(successor));
  await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(1);
  expect(harness.lambda.invocations[0]?.payload).toBe('"successor"');
});
