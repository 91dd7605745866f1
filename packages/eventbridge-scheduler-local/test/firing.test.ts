import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { DeleteScheduleCommand } from "@aws-sdk/client-scheduler";
import { describe, expect, test } from "vitest";
import { startScheduler } from "../src/server.ts";
import { atExpression, FAR_AWAY, PATIENT, schedule, soon, startHarness, target } from "./harness.ts";
import { type Answer, failFunction, succeed, unavailable } from "./lambda-endpoint.ts";

describe.concurrent("a schedule", () => {
  test("invokes its function with its Input at the second named, never before", async ({ expect }) => {
    await using harness = await startHarness();
    const at = soon();
    await harness.create(schedule("order", at));

    await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(1);

    expect(harness.lambda.invocations[0]).toMatchObject({
      path: "/2015-03-31/functions/orders-dev-completeOrder/invocations",
      headers: { "x-amz-invocation-type": "RequestResponse", "content-type": "application/json" },
      payload: '{"pk":"1"}',
    });
    expect(harness.lambda.invocations[0]?.atMs).toBeGreaterThanOrEqual(at);
  });

  test("with ActionAfterCompletion DELETE is gone after its delivery, and its name and token serve again", async ({
    expect,
  }) => {
    await using harness = await startHarness();
    const first = schedule("order", soon(), { ClientToken: "order" });
    await harness.create(first);
    await expect.poll(() => harness.exists("order"), PATIENT).toBe(false);
    expect(harness.lambda.invocations).toHaveLength(1);

    await harness.create({ ...first, ScheduleExpression: atExpression(soon()) });
    await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(2);
  });

  test("is not deleted while its delivery is under way", async ({ expect }) => {
    const started = Promise.withResolvers<() => void>();
    await using harness = await startHarness({ answer: (response) => started.resolve(() => response.end("{}")) });
    await harness.create(schedule("order", soon()));
    const finish = await started.promise;
    expect(await harness.exists("order")).toBe(true);
    finish();
    await expect.poll(() => harness.exists("order"), PATIENT).toBe(false);
  });

  test("that was deleted during its delivery takes no later one of its name with it", async ({ expect }) => {
    const started = Promise.withResolvers<() => void>();
    await using harness = await startHarness({ answer: (response) => started.resolve(() => response.end("{}")) });
    const at = soon();
    await harness.create(schedule("order", at));
    const finish = await started.promise;
    await harness.client.send(new DeleteScheduleCommand({ Name: "order", GroupName: "orders" }));
    await harness.create(schedule("order", FAR_AWAY));
    await harness.create(schedule("next", soon()));
    finish();
    // The next one has come and gone: so has all that the first one's end brought about.
    await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(2);
    expect(await harness.exists("order")).toBe(true);
  });

  test("with ActionAfterCompletion NONE stays, and does not fire again", async ({ expect }) => {
    await using harness = await startHarness();
    const at = soon();
    await harness.create(schedule("kept", at, { ActionAfterCompletion: "NONE" }));
    await harness.create(schedule("later", at + 1000, { Target: target({ Input: '"later"' }) }));
    await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(2);
    expect(harness.lambda.invocations.map(({ payload }) => payload)).toEqual(['{"pk":"1"}', '"later"']);
    expect(await harness.exists("kept")).toBe(true);
  });

  test("that is disabled does not fire", async ({ expect }) => {
    await using harness = await startHarness();
    const at = soon();
    await harness.create(schedule("off", at, { State: "DISABLED" }));
    await harness.create(schedule("on", at + 1000, { Target: target({ Input: '"on"' }) }));
    await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(1);
    expect(harness.lambda.invocations[0]?.payload).toBe('"on"');
    expect(await harness.exists("off")).toBe(true);
  });

  test("of the next century does not fire today", async ({ expect }) => {
    await using harness = await startHarness();
    // Longer than the 2^31 - 1 ms of one timer, which would fire at once.
    await harness.create(schedule("century", FAR_AWAY));
    await harness.create(schedule("now", soon(), { Target: target({ Input: '"now"' }) }));
    await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(1);
    expect(harness.lambda.invocations[0]?.payload).toBe('"now"');
  });

  test("with a flexible window fires inside of it", async ({ expect }) => {
    await using harness = await startHarness();
    const at = soon();
    await harness.create(
      schedule("flexible", at, { FlexibleTimeWindow: { Mode: "FLEXIBLE", MaximumWindowInMinutes: 1 } }),
    );
    await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(1);
    expect(harness.lambda.invocations[0]?.atMs).toBeGreaterThanOrEqual(at);
    expect(harness.lambda.invocations[0]?.atMs).toBeLessThan(at + 60_000);
  });
});

describe("the event", () => {
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
});

describe("options", () => {
  describe.concurrent("an option", () => {
    test("delays firing, by up to its length at random", async ({ expect }) => {
      await using harness = await startHarness({ maxDelayMs: 4000, random: () => 0.5 });
      const at = soon();
      await harness.create(schedule("late", at));
      await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(1);
      expect(harness.lambda.invocations[0]?.atMs).toBeGreaterThanOrEqual(at + 2000);
    });

    test("delivers each event twice", async ({ expect }) => {
      await using harness = await startHarness({ deliverTwice: true });
      await harness.create(schedule("twice", soon(), { Target: target({ Input: '"<aws.scheduler.execution-id>"' }) }));
      await expect.poll(() => harness.exists("twice"), PATIENT).toBe(false);
      const ids = harness.lambda.invocations.map(({ payload }) => payload);
      expect(ids).toHaveLength(2);
      expect(ids[0]).not.toBe(ids[1]);
    });

    test("bounds the invocations under way at once", async ({ expect }) => {
      await using harness = await startHarness({
        concurrency: 3,
        answer: (...call) => void setTimeout(() => succeed(...call), 20),
      });
      const at = soon();
      await Promise.all(Array.from({ length: 30 }, (_, i) => harness.create(schedule(`s${i}`, at))));
      await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(30);
      expect(harness.lambda.busiest).toBe(3);
    });
  });

  test("1,000 schedules due in one second each fire once, none before it", { timeout: 300_000 }, async () => {
    await using harness = await startHarness();
    async function createAll(names: readonly string[], at: number): Promise<void> {
      for (let i = 0; i < names.length; i += 50) {
        const some = names.slice(i, i + 50);
        await Promise.all(
          some.map((name) => harness.create(schedule(name, at, { Target: target({ Input: JSON.stringify(name) }) }))),
        );
      }
    }
    // given: how long this machine, as busy as it is, takes for 100; the 1,000 get three times the time they should need
    const begun = Date.now();
    await createAll(
      Array.from({ length: 100 }, () => randomUUID()),
      begun + 86_400_000,
    );
    const lead = 2_000 + 30 * (Date.now() - begun);
    const at = Math.ceil((Date.now() + lead) / 1000) * 1000;
    const names = Array.from({ length: 1_000 }, () => randomUUID());
    await createAll(names, at);

    await expect.poll(() => harness.lambda.invocations.length, { timeout: 90_000, interval: 100 }).toBe(1_000);

    const arrivals = harness.lambda.invocations;
    expect(new Set(arrivals.map(({ payload }) => JSON.parse(payload)))).toEqual(new Set(names));
    expect(Math.min(...arrivals.map(({ atMs }) => atMs))).toBeGreaterThanOrEqual(at);
    expect(harness.lambda.busiest).toBeLessThanOrEqual(10);
    expect(harness.log).toEqual([]);
  });
});

describe("stop", () => {
  // An unhandled rejection fails a Vitest run by itself: each of these proves its absence too.
  describe.concurrent("a stop", () => {
    test("forgets the schedules that wait, closes the port, and may come twice", async ({ expect }) => {
      await using harness = await startHarness();
      await harness.create(schedule("pending", FAR_AWAY));
      await Promise.all([harness.stop(), harness.stop()]);
      await expect(fetch(harness.url)).rejects.toThrow();
      expect(harness.log).toEqual([]);
    });

    test("ends the wait before the next attempt of a delivery", async ({ expect }) => {
      await using harness = await startHarness({ answer: unavailable, retryDelayMs: () => 3_600_000 });
      await harness.create(schedule("backing-off", soon()));
      await expect.poll(() => harness.log, PATIENT).toHaveLength(1);
      await harness.stop();
      expect(harness.lambda.invocations).toHaveLength(1);
    });

    test("ends the wait before the next run of a function that failed", async ({ expect }) => {
      await using harness = await startHarness({ answer: failFunction, retryDelayMs: () => 3_600_000 });
      await harness.create(schedule("failed", soon()));
      await expect.poll(() => harness.exists("failed"), PATIENT).toBe(false);
      await harness.stop();
      expect(harness.lambda.invocations).toHaveLength(1);
    });

    test.for<[string, Answer]>([
      ["that has no reply yet", () => undefined],
      ["whose reply has begun", (response) => void response.write("{")],
    ])("ends an invocation %s, and calls it no failure", async ([_, answer], { expect }) => {
      await using harness = await startHarness({ answer, concurrency: 1 });
      const at = soon();
      await harness.create(schedule("hanging", at));
      await harness.create(schedule("waiting-its-turn", at));
      await expect.poll(() => harness.lambda.invocations.length, PATIENT).toBe(1);
      await harness.stop();
      expect(harness.log).toEqual([]);
      expect(harness.lambda.invocations).toHaveLength(1);
    });
  });

  test("a port that is taken is an EADDRINUSE error", async () => {
    const squatter = createServer().listen(0, "127.0.0.1");
    await once(squatter, "listening");
    const address = squatter.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const started = startScheduler({ lambdaUrl: "http://127.0.0.1:9", port: address.port });
    await expect(started).rejects.toMatchObject({ code: "EADDRINUSE" });
    squatter.close();
  });
});
