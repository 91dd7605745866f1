import { describe, expect, test } from "vitest";
import {
  AT,
  eventually,
  formatted,
  type Harness,
  QUEUE_ARN,
  saying,
  schedule,
  startHarness,
  target,
} from "./harness.ts";
import { type Answer, failFunction, first, unavailable, unknownFunction } from "./lambda-endpoint.ts";

/** As Lambda answers above its concurrency. */
const throttled: Answer = (response) => response.writeHead(429).end("Rate Exceeded");

const gone = (harness: Harness, name: string) => eventually(async () => !(await harness.exists(name)));

describe("a delivery", () => {
  test("that is refused or whose connection breaks is tried again until it succeeds", async () => {
    const hangUp: Answer = (response) => response.destroy();
    const breakOff: Answer = (response) => response.write("{", () => response.destroy());
    await using harness = await startHarness({ answer: first(unavailable, throttled, hangUp, breakOff) });
    await harness.create(schedule("retried", { Target: target({ Input: '"<aws.scheduler.attempt-number>"' }) }));
    expect(await harness.fire(5)).toEqual(['"1"', '"2"', '"3"', '"4"', '"5"']);
    await gone(harness, "retried");
    expect(harness.log).toEqual([
      expect.stringMatching(
        /schedule\/orders\/retried could not be delivered and will be retried: .*503: no capacity$/,
      ),
      expect.stringMatching(/schedule\/orders\/retried was delivered at attempt 5$/),
    ]);
    expect(await harness.deadLetters()).toEqual([]);
  });

  test("is tried again as often as the schedule's policy says, then is a dead letter and one log line", async () => {
    await using harness = await startHarness({ answer: unavailable });
    const policy = { RetryPolicy: { MaximumRetryAttempts: 2 }, DeadLetterConfig: { Arn: QUEUE_ARN } };
    await harness.create(
      schedule("dead", { Target: target({ ...policy, Input: '"<aws.scheduler.attempt-number>"' }) }),
    );
    await harness.fire(3);
    await gone(harness, "dead");

    expect(harness.lambda.invocations).toHaveLength(3);
    expect(await harness.deadLetters()).toEqual([
      {
        queueArn: QUEUE_ARN,
        body: '"3"',
        attributes: {
          ERROR_CODE: "HTTP 503",
          ERROR_MESSAGE: "the target replied with status 503: no capacity",
          EXECUTION_ID: expect.stringMatching(/^[0-9a-f]{16}$/),
          EXHAUSTED_RETRY_CONDITION: "MaximumRetryAttempts",
          IS_PAYLOAD_TRUNCATED: "false",
          RETRY_ATTEMPTS: "2",
          SCHEDULED_TIME: `${formatted(AT)}Z`,
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

  test("is not tried again after an error that would come again, and the dead letter has no exhausted condition", async () => {
    await using harness = await startHarness({ answer: unknownFunction });
    await harness.create(schedule("refused", { Target: target({ DeadLetterConfig: { Arn: QUEUE_ARN } }) }));
    await harness.fire(1);
    await gone(harness, "refused");
    const [letter] = (await harness.deadLetters()) as { attributes: object }[];
    expect(letter?.attributes).toMatchObject({ ERROR_CODE: "ResourceNotFoundException", RETRY_ATTEMPTS: "0" });
    expect(letter?.attributes).not.toHaveProperty("EXHAUSTED_RETRY_CONDITION");
    expect(harness.log).toEqual([expect.stringMatching(/\/refused was not delivered after 1 attempts .*not retried/)]);
    expect(harness.lambda.invocations).toHaveLength(1);
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

  test("keeps its attempts while the endpoint is away, and is not logged when it then succeeds", async () => {
    await using harness = await startHarness({ answer: first(failFunction, unavailable, unavailable, failFunction) });
    await harness.create(schedule("patient"));
    await harness.create(saying("after", AT + 1000));
    await harness.fire(5);
    await harness.fire(6, AT + 1000);
    await gone(harness, "after");
    expect(harness.lambda.invocations).toHaveLength(6);
    expect(harness.log).toEqual([]);
  });
});
