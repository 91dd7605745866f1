import { describe, test } from "vitest";
import { PATIENT, schedule, soon, startHarness, target } from "./harness.ts";

describe.concurrent("an invocation", () => {
  test("names its function's version or alias to Lambda", async ({ expect }) => {
    await using harness = await startHarness();
    await harness.create(schedule("alias", soon(), { Target: target({ Arn: `${target().Arn}:live` }) }));
    await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(1);
    expect(harness.lambda.invocations[0]?.path).toMatch(/\/orders-dev-completeOrder\/invocations\?Qualifier=live$/);
  });

  test("has the context attributes of its Input replaced, everywhere", async ({ expect }) => {
    await using harness = await startHarness();
    const at = soon();
    const Input = JSON.stringify({
      arn: "<aws.scheduler.schedule-arn>",
      time: "<aws.scheduler.scheduled-time> = <aws.scheduler.scheduled-time>",
      id: "<aws.scheduler.execution-id>",
      attempt: "<aws.scheduler.attempt-number>",
      unknown: "<aws.scheduler.other>",
    });
    await harness.create(schedule("context", at, { Target: target({ Input }) }));
    await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(1);
    const time = `${new Date(at).toISOString().slice(0, 19)}Z`;
    expect(JSON.parse(harness.lambda.invocations[0]?.payload ?? "")).toEqual({
      arn: "arn:aws:scheduler:eu-central-1:123456789012:schedule/orders/context",
      time: `${time} = ${time}`,
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
      attempt: "1",
      unknown: "<aws.scheduler.other>",
    });
  });

  test("without an Input sends the default event", async ({ expect }) => {
    await using harness = await startHarness();
    const at = soon();
    const { Input: _, ...bare } = target();
    await harness.create({ ...schedule("bare", at), Target: bare });
    await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(1);
    expect(JSON.parse(harness.lambda.invocations[0]?.payload ?? "")).toEqual({
      version: "0",
      id: expect.any(String),
      "detail-type": "Scheduled Event",
      source: "aws.scheduler",
      account: "123456789012",
      time: `${new Date(at).toISOString().slice(0, 19)}Z`,
      region: "eu-central-1",
      resources: ["arn:aws:scheduler:eu-central-1:123456789012:schedule/orders/bare"],
      detail: "{}",
    });
  });
});
