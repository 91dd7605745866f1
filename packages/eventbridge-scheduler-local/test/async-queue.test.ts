import { describe, test } from "vitest";
import { PATIENT, QUEUE_ARN, schedule, soon, startHarness, target } from "./harness.ts";
import { failFunction, first, unavailable } from "./lambda-endpoint.ts";

describe.concurrent("a function that fails", () => {
  test("gets the same event up to twice more, whatever the schedule's policy, and is then logged", async ({
    expect,
  }) => {
    await using harness = await startHarness({ answer: failFunction });
    const never = { RetryPolicy: { MaximumRetryAttempts: 0 }, DeadLetterConfig: { Arn: QUEUE_ARN } };
    const Input = "<aws.scheduler.execution-id>";
    await harness.create(schedule("throws", soon(), { Target: target({ ...never, Input }) }));

    await expect.poll(() => harness.log, PATIENT).toHaveLength(1);

    expect(harness.log[0]).toMatch(
      /function orders-dev-completeOrder failed 3 times for .*\/throws.*the handler threw/,
    );
    const payloads = harness.lambda.invocations.map(({ payload }) => payload);
    expect(payloads).toHaveLength(3);
    expect(new Set(payloads).size).toBe(1);
    // The event was delivered: the schedule's own dead-letter queue never sees it.
    expect(await harness.deadLetters()).toEqual([]);
    expect(await harness.exists("throws")).toBe(false);
  });

  test("and then succeeds is not logged", async ({ expect }) => {
    await using harness = await startHarness({ answer: first(failFunction) });
    const at = soon();
    await harness.create(schedule("once", at));
    await harness.create(schedule("after", at + 1000));
    await expect.poll(() => harness.exists("after"), PATIENT).toBe(false);
    expect(harness.lambda.invocations).toHaveLength(3);
    expect(harness.log).toEqual([]);
  });

  test("keeps its attempts while the endpoint is away", async ({ expect }) => {
    await using harness = await startHarness({
      answer: first(failFunction, unavailable, unavailable, unavailable, failFunction),
    });
    await harness.create(schedule("patient", soon()));
    await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(6);
    expect(harness.log).toEqual([]);
  });
});
