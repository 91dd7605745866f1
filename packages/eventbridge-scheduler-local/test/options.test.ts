import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { PATIENT, schedule, soon, startHarness, target } from "./harness.ts";
import { succeed } from "./lambda-endpoint.ts";

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
    await harness.create(schedule("twice", soon(), { Target: target({ Input: "<aws.scheduler.execution-id>" }) }));
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
      await Promise.all(some.map((name) => harness.create(schedule(name, at, { Target: target({ Input: name }) }))));
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
  expect(new Set(arrivals.map(({ payload }) => payload))).toEqual(new Set(names));
  expect(Math.min(...arrivals.map(({ atMs }) => atMs))).toBeGreaterThanOrEqual(at);
  expect(harness.lambda.busiest).toBeLessThanOrEqual(10);
  expect(harness.log).toEqual([]);
});
