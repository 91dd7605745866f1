import { describe, expect, test } from "vitest";
import { AT, eventually, type Harness, QUEUE_ARN, saying, schedule, startHarness, target } from "./harness.ts";
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

const gone = (harness: Harness, name: string) => eventually(async () => !(await harness.exists(name)));

describe("a delivery", () => {
  test("that the endpoint refuses is tried again until it succeeds", async () => {
    await using harness = await startHarness({ answer: first(unavailable, unknownFunction, unavailable) });
    await harness.create(schedule("retried", { Target: attemptNumber }));
    expect(await harness.fire(4)).toEqual(['"1"', '"2"', '"3"', '"4"']);
    await gone(harness, "retried");
    expect(harness.log).toEqual([
      expect.stringMatching(
        /schedule\/orders\/retried could not be delivered and will be retried: .*503: no capacity$/,
      ),
      expect.stringMatching(/schedule\/orders\/retried was delivered at attempt 4$/),
    ]);
    expect(await harness.deadLetters()).toEqual([]);
  });

  test("to an endpoint that is away succeeds once it is back", async () => {
    const away = await startLambdaEndpoint();
    await away[Symbol.asyncDispose]();
    await using harness = await startHarness({ lambdaUrl: away.url, retryDelayMs: () => 20 });
    await harness.create(schedule("away"));
    await harness.fire(0);
    await eventually(() => harness.log.join("\n").includes("ECONNREFUSED"));
    expect(await harness.exists("away")).toBe(true);

    await using back = await startLambdaEndpoint(succeed, away.port);
    await gone(harness, "away");
    expect(back.invocations).toHaveLength(1);
  });

  test("whose connection breaks before the reply is tried again", async () => {
    const hangUp: Answer = (response) => response.destroy();
    const breakOff: Answer = (response) => response.write("{", () => response.destroy());
    await using harness = await startHarness({ answer: first(hangUp, breakOff) });
    await harness.create(schedule("broken"));
    await harness.fire(3);
    await gone(harness, "broken");
    expect(harness.lambda.invocations).toHaveLength(3);
  });

  test("is tried again as often as the schedule's policy says, then is a dead letter and one log line", async () => {
    await using harness = await startHarness({ answer: unknownFunction });
    const policy = { RetryPolicy: { MaximumRetryAttempts: 2 }, DeadLetterConfig: { Arn: QUEUE_ARN } };
    await harness.create(schedule("dead", { Target: { ...attemptNumber, ...policy } }));
    await harness.fire(3);
    await gone(harness, "dead");

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
          SCHEDULED_TIME: `${new Date(AT).toISOString().slice(0, 19)}Z`,
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

  test("is not tried again when the event would be older than the policy allows", async () => {
    await using harness = await startHarness({ answer: unavailable, retryDelayMs: () => 61_000 });
    const policy = { RetryPolicy: { MaximumEventAgeInSeconds: 60 }, DeadLetterConfig: { Arn: QUEUE_ARN } };
    await harness.create(schedule("old", { Target: target(policy) }));
    await harness.fire(1);
    await gone(harness, "old");
    const EXHAUSTED_RETRY_CONDITION = "MaximumEventAgeInSeconds";
    expect(await harness.deadLetters()).toMatchObject([
      { attributes: { EXHAUSTED_RETRY_CONDITION, RETRY_ATTEMPTS: "0", ERROR_CODE: "HTTP 503" } },
    ]);
  });

  test("that fails for good without a dead-letter queue is logged", async () => {
    await using harness = await startHarness({ answer: unavailable });
    await harness.create(schedule("none", { Target: target({ RetryPolicy: { MaximumRetryAttempts: 0 } }) }));
    await harness.fire(1);
    await gone(harness, "none");
    expect(harness.log).toEqual([
      expect.stringMatching(/\/none was not delivered after 1 attempts .* it has no dead-letter queue/),
    ]);
    expect(await harness.deadLetters()).toEqual([]);
  });
});

describe("a function that fails", () => {
  test("gets the same event up to twice more, whatever the schedule's policy, and is then logged", async () => {
    await using harness = await startHarness({ answer: failFunction });
    const never = { RetryPolicy: { MaximumRetryAttempts: 0 }, DeadLetterConfig: { Arn: QUEUE_ARN } };
    await harness.create(schedule("throws", { Target: target({ ...never, Input: '"<aws.scheduler.execution-id>"' }) }));

    const payloads = await harness.fire(3);
    await eventually(() => harness.log.length > 0);

    expect(harness.log[0]).toMatch(
      /function orders-dev-completeOrder failed 3 times for .*\/throws.*the handler threw/,
    );
    expect(harness.lambda.invocations).toHaveLength(3);
    expect(new Set(payloads).size).toBe(1);
    // The event was delivered: the schedule's own dead-letter queue never sees it.
    expect(await harness.deadLetters()).toEqual([]);
    expect(await harness.exists("throws")).toBe(false);
  });

  test("and then succeeds is not logged", async () => {
    await using harness = await startHarness({ answer: first(failFunction) });
    await harness.create(schedule("once"));
    await harness.create(saying("after", AT + 1000));
    await harness.fire(2);
    await harness.fire(3, AT + 1000);
    await gone(harness, "after");
    expect(harness.lambda.invocations).toHaveLength(3);
    expect(harness.log).toEqual([]);
  });

  test("keeps its attempts while the endpoint is away", async () => {
    const answer = first(failFunction, unavailable, unavailable, unavailable, failFunction);
    await using harness = await startHarness({ answer });
    await harness.create(schedule("patient"));
    await harness.fire(6);
    expect(harness.log).toEqual([]);
  });
});
