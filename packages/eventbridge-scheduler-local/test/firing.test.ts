import { DeleteScheduleCommand } from "@aws-sdk/client-scheduler";
import { describe, test } from "vitest";
import { atExpression, FAR_AWAY, PATIENT, schedule, soon, startHarness, target } from "./harness.ts";

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
