import { DeleteScheduleCommand } from "@aws-sdk/client-scheduler";
import { describe, expect, test } from "vitest";
import { AT, eventually, formatted, saying, schedule, startHarness, target } from "./harness.ts";
import { type Answer, failFunction, succeed, unavailable } from "./lambda-endpoint.ts";

const ARN = "arn:aws:scheduler:eu-central-1:123456789012:schedule/orders";

describe("a schedule", () => {
  test("invokes its function with its Input at the second named, never before", async () => {
    await using harness = await startHarness();
    const at = Math.ceil((Date.now() + 2000) / 1000) * 1000; // real time; a busy machine finds 1 s in the past
    await harness.create(schedule("order", {}, at));

    await eventually(() => harness.lambda.invocations.length > 0);

    expect(harness.lambda.invocations).toMatchObject([
      {
        path: "/2015-03-31/functions/orders-dev-completeOrder/invocations",
        headers: { "x-amz-invocation-type": "RequestResponse", "content-type": "application/json" },
        payload: '{"pk":"1"}',
      },
    ]);
    expect(harness.lambda.invocations[0]?.atMs).toBeGreaterThanOrEqual(at);
  });

  test("with ActionAfterCompletion DELETE is gone after its delivery, and its name and token serve again", async () => {
    const delivery = Promise.withResolvers<() => void>();
    await using harness = await startHarness({ answer: (response) => delivery.resolve(() => response.end("{}")) });
    await harness.create(schedule("order", { ClientToken: "order" }));
    await harness.fire(1);
    expect(await harness.exists("order")).toBe(true); // its delivery is under way
    (await delivery.promise)();
    await eventually(async () => !(await harness.exists("order")));

    await harness.create(schedule("order", { ClientToken: "order" }, AT + 1000));
    expect(await harness.fire(2, AT + 1000)).toHaveLength(2);
  });

  test("that was deleted during its delivery takes no later one of its name with it", async () => {
    const delivery = Promise.withResolvers<() => void>();
    const answer: Answer = (response) => delivery.resolve(() => response.end("{}"));
    await using harness = await startHarness({ answer, concurrency: 1 });
    await harness.create(schedule("order"));
    await harness.fire(1);
    await harness.client.send(new DeleteScheduleCommand({ Name: "order", GroupName: "orders" }));
    await harness.create(schedule("order", {}, AT + 3_600_000));
    await harness.create(schedule("next", {}, AT + 1000));
    (await delivery.promise)();
    // The next one has come, which waited for the first one's end.
    await harness.fire(2, AT + 1000);
    expect(await harness.exists("order")).toBe(true);
  });

  test("does not fire while it is disabled, in another century, or again with ActionAfterCompletion NONE", async () => {
    await using harness = await startHarness();
    await harness.create({ ...saying("kept"), ActionAfterCompletion: "NONE" });
    await harness.create({ ...saying("off"), State: "DISABLED" });
    await harness.create(saying("century", Date.UTC(2099, 0, 1)));
    await harness.create(saying("later", AT + 1000));
    await harness.fire(1);
    expect(await harness.fire(2, AT + 1000)).toEqual(['"kept"', '"later"']);
    for (const name of ["kept", "off", "century"]) expect(await harness.exists(name)).toBe(true);
  });
});

describe("the event", () => {
  test("goes to the version or alias of its function, at the start of a flexible window", async () => {
    await using harness = await startHarness();
    const FlexibleTimeWindow = { Mode: "FLEXIBLE" as const, MaximumWindowInMinutes: 60 };
    await harness.create(schedule("alias", { FlexibleTimeWindow, Target: target({ Arn: `${target().Arn}:live` }) }));
    await harness.fire(1);
    expect(harness.lambda.invocations[0]?.path).toMatch(/\/orders-dev-completeOrder\/invocations\?Qualifier=live$/);
  });

  test("has the context attributes of its Input replaced, everywhere", async () => {
    await using harness = await startHarness();
    const context = (attribute: string) => `<aws.scheduler.${attribute}>`;
    const attributes = ["schedule-arn", "scheduled-time", "scheduled-time", "attempt-number", "execution-id", "other"];
    await harness.create(schedule("context", { Target: target({ Input: JSON.stringify(attributes.map(context)) }) }));
    const [payload = ""] = await harness.fire(1);
    const [time, id] = [`${formatted(AT)}Z`, expect.stringMatching(/^[0-9a-f]{16}$/)];
    expect(JSON.parse(payload)).toEqual([`${ARN}/context`, time, time, "1", id, context("other")]);
  });

  test("is the default one without an Input", async () => {
    await using harness = await startHarness();
    const { Input: _, ...bare } = target();
    await harness.create({ ...schedule("bare"), Target: bare });
    const [payload = ""] = await harness.fire(1);
    expect(JSON.parse(payload)).toEqual({
      version: "0",
      id: expect.any(String),
      "detail-type": "Scheduled Event",
      source: "aws.scheduler",
      account: "123456789012",
      time: `${formatted(AT)}Z`,
      region: "eu-central-1",
      resources: [`${ARN}/bare`],
      detail: "{}",
    });
  });
});

describe("an option", () => {
  test("delays each schedule", async () => {
    const delays = [2000, 0];
    await using harness = await startHarness({ delayMs: () => delays.shift() ?? 0 });
    await harness.create(saying("late"));
    await harness.create(saying("on-time", AT + 1000));
    await harness.fire(1, AT + 1000);
    expect(await harness.fire(2, AT + 2000)).toEqual(['"on-time"', '"late"']);
  });

  test.for([0, 2])("delivers each event %d times, and the schedule is over", async (copies) => {
    await using harness = await startHarness({ copies: () => copies });
    await harness.create(schedule("copied", { Target: target({ Input: '"<aws.scheduler.execution-id>"' }) }));
    await harness.fire(copies);
    await eventually(async () => !(await harness.exists("copied")));
    expect(new Set(harness.lambda.invocations.map(({ payload }) => payload)).size).toBe(copies);
    expect(harness.lambda.invocations).toHaveLength(copies);
  });

  test("bounds the invocations under way at once, and each schedule of a second fires once", async () => {
    const answer: Answer = (...call) => void setTimeout(() => succeed(...call), 20);
    await using harness = await startHarness({ concurrency: 3, answer });
    const names = Array.from({ length: 50 }, (_, index) => `schedule-${index}`);
    await Promise.all(names.map((name) => harness.create(saying(name))));
    const payloads = await harness.fire(50);
    expect(payloads.map((payload) => JSON.parse(payload)).toSorted()).toEqual(names.toSorted());
    expect(harness.lambda.busiest).toBe(3);
  });
});

// An unhandled rejection fails a Vitest run by itself: each of these proves its absence too.
describe("a stop", () => {
  test("forgets the schedules that wait, closes the port, and may come twice", async () => {
    await using harness = await startHarness();
    await harness.create(schedule("pending"));
    await Promise.all([harness.stop(), harness.stop()]);
    await expect(fetch(harness.url)).rejects.toThrow();
    expect(harness.log).toEqual([]);
  });

  test.for<[string, Answer]>([
    ["the next attempt of a delivery", unavailable],
    ["the next run of a function that failed", failFunction],
  ])("ends the wait before %s", async ([_, answer]) => {
    const failed = Promise.withResolvers<void>();
    const retryDelayMs = () => {
      failed.resolve();
      return 3_600_000;
    };
    await using harness = await startHarness({ answer, retryDelayMs });
    await harness.create(schedule("failed"));
    await harness.fire(1);
    await failed.promise;
    await harness.stop();
    expect(harness.lambda.invocations).toHaveLength(1);
  });

  test.for<[string, Answer]>([
    ["that has no reply yet", () => undefined],
    ["whose reply has begun", (response) => void response.write("{")],
  ])("ends an invocation %s, and calls it no failure", async ([_, answer]) => {
    await using harness = await startHarness({ answer, concurrency: 1 });
    await harness.create(schedule("hanging"));
    await harness.create(schedule("waiting-its-turn"));
    await harness.fire(1);
    await harness.stop();
    expect(harness.log).toEqual([]);
    expect(harness.lambda.invocations).toHaveLength(1);
  });
});
