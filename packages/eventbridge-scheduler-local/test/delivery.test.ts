import { describe, test } from "vitest";
import { PATIENT, QUEUE_ARN, schedule, soon, startHarness, target } from "./harness.ts";
import {
  type Answer,
  failFunction,
  first,
  startLambdaEndpoint,
  succeed,
  unavailable,
  unknownFunction,
} from "./lambda-endpoint.ts";

const attemptNumber = target({ Input: '"<aws.scheduler.attempt-number>"' });

describe.concurrent("a delivery", () => {
  test("that the endpoint refuses is tried again until it succeeds", async ({ expect }) => {
    await using harness = await startHarness({ answer: first(unavailable, unknownFunction, unavailable) });
    await harness.create(schedule("retried", soon(), { Target: attemptNumber }));
    await expect.poll(() => harness.exists("retried"), PATIENT).toBe(false);
    expect(harness.lambda.invocations.map(({ payload }) => payload)).toEqual(['"1"', '"2"', '"3"', '"4"']);
    expect(harness.log).toEqual([
      expect.stringMatching(
        /schedule\/orders\/retried could not be delivered and will be retried: .*503: no capacity$/,
      ),
      expect.stringMatching(/schedule\/orders\/retried was delivered at attempt 4$/),
    ]);
    expect(await harness.deadLetters()).toEqual([]);
  });

  test("to an endpoint that is away succeeds once it is back", async ({ expect }) => {
    const gone = await startLambdaEndpoint();
    await gone[Symbol.asyncDispose]();
    await using harness = await startHarness({ lambdaUrl: gone.url, retryDelayMs: () => 20 });
    await harness.create(schedule("away", soon()));
    await expect.poll(() => harness.log.join("\n"), PATIENT).toContain("ECONNREFUSED");
    expect(await harness.exists("away")).toBe(true);

    await using back = await startLambdaEndpoint(succeed, gone.port);
    await expect.poll(() => harness.exists("away"), PATIENT).toBe(false);
    expect(back.invocations).toHaveLength(1);
  });

  test("whose connection breaks before the reply is tried again", async ({ expect }) => {
    const hangUp: Answer = (response) => response.destroy();
    const breakOff: Answer = (response) => response.write("{", () => response.destroy());
    await using harness = await startHarness({ answer: first(hangUp, breakOff) });
    await harness.create(schedule("broken", soon()));
    await expect.poll(() => harness.exists("broken"), PATIENT).toBe(false);
    expect(harness.lambda.invocations).toHaveLength(3);
  });

  test("is tried again as often as the schedule's policy says, then is a dead letter and one log line", async ({
    expect,
  }) => {
    await using harness = await startHarness({ answer: unknownFunction });
    const policy = { RetryPolicy: { MaximumRetryAttempts: 2 }, DeadLetterConfig: { Arn: QUEUE_ARN } };
    const at = soon();
    await harness.create(schedule("dead", at, { Target: { ...attemptNumber, ...policy } }));
    await expect.poll(() => harness.exists("dead"), PATIENT).toBe(false);

    expect(harness.lambda.invocations).toHaveLength(3);
    expect(await harness.deadLetters()).toEqual([
      {
        queueArn: QUEUE_ARN,
        body: '"3"',
        attributes: {
          ERROR_CODE: "ResourceNotFoundException",
          ERROR_MESSAGE: 'the target replied with status 404: {"Message":"Function not found: x","Type":"User"}',
          EXECUTION_ID: expect.stringMatching(/^[0-9a-f]{16}$/),
          EXHAUSTED_RETRY_CONDITION: "MaximumRetryAttempts",
          RETRY_ATTEMPTS: "2",
          SCHEDULED_TIME: `${new Date(at).toISOString().slice(0, 19)}Z`,
          SCHEDULE_ARN: "arn:aws:scheduler:eu-central-1:123456789012:schedule/orders/dead",
          TARGET_ARN: target().Arn,
        },
      },
    ]);
    expect(harness.log.slice(1)).toEqual([
      expect.stringMatching(
        /\/dead was not delivered after 3 attempts .* dead-letter queue arn:aws:sqs:.*orders-dead: the target replied/,
      ),
    ]);
  });

  test("is not tried again when the event would be older than the policy allows", async ({ expect }) => {
    await using harness = await startHarness({ answer: unavailable, retryDelayMs: () => 61_000 });
    const policy = { RetryPolicy: { MaximumEventAgeInSeconds: 60 }, DeadLetterConfig: { Arn: QUEUE_ARN } };
    await harness.create(schedule("old", soon(), { Target: target(policy) }));
    await expect
      .poll(() => harness.deadLetters(), PATIENT)
      .toMatchObject([
        {
          attributes: {
            EXHAUSTED_RETRY_CONDITION: "MaximumEventAgeInSeconds",
            RETRY_ATTEMPTS: "0",
            ERROR_CODE: "HTTP 503",
          },
        },
      ]);
    expect(harness.lambda.invocations).toHaveLength(1);
  });

  test("that fails for good without a dead-letter queue is logged", async ({ expect }) => {
    await using harness = await startHarness({ answer: unavailable });
    await harness.create(schedule("none", soon(), { Target: target({ RetryPolicy: { MaximumRetryAttempts: 0 } }) }));
    await expect.poll(() => harness.log, PATIENT).toHaveLength(1);
    expect(harness.log[0]).toMatch(/\/none was not delivered after 1 attempts .* it has no dead-letter queue/);
    expect(await harness.deadLetters()).toEqual([]);
  });
});

describe("Lambda's own retries", () => {
  describe.concurrent("a function that fails", () => {
    test("gets the same event up to twice more, whatever the schedule's policy, and is then logged", async ({
      expect,
    }) => {
      await using harness = await startHarness({ answer: failFunction });
      const never = { RetryPolicy: { MaximumRetryAttempts: 0 }, DeadLetterConfig: { Arn: QUEUE_ARN } };
      const Input = '"<aws.scheduler.execution-id>"';
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
});
