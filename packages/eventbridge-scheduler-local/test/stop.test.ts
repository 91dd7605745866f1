import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { startScheduler } from "../src/server.ts";
import { FAR_AWAY, PATIENT, schedule, soon, startHarness } from "./harness.ts";
import { type Answer, failFunction, unavailable } from "./lambda-endpoint.ts";

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
