import { describe, expect, test } from "vitest";
import { tryOutFunction } from "./try-out.ts";

const WAIT_MS = 200;

const start = tryOutFunction();

describe("a function", () => {
  test("tells what each invocation took, as Lambda's REPORT line does, and its start once", async () => {
    const { lambda } = start();
    const first = await lambda.invoke({ wait: WAIT_MS });
    const began = performance.now();
    const second = await lambda.invoke({ fail: "no" });
    const seenFromOutsideMs = performance.now() - began;
    expect(first.usage).toEqual({
      durationMs: expect.any(Number),
      cpuMs: expect.any(Number),
      handlerCpuMs: expect.any(Number),
      maxMemoryMb: expect.any(Number),
      initMs: expect.any(Number),
    });
    // A timer may end a fraction before its time.
    expect(first.usage?.durationMs).toBeGreaterThan(WAIT_MS - 5);
    // Its own time, and nothing of the invocation before: by a clock that stands still with the machine, as it does.
    expect(second.usage?.durationMs).toBeLessThanOrEqual(seenFromOutsideMs);
    expect(second.usage).not.toHaveProperty("initMs");
  });

  test("tells its own memory, and nothing of its host's", async () => {
    const { lambda } = start();
    const hostsOwn = Buffer.alloc(300 * 1024 * 1024, 1);
    const { usage } = await lambda.invoke({});
    expect(hostsOwn.length).toBeGreaterThan(0);
    expect(usage?.maxMemoryMb).toBeGreaterThan(10);
    expect(usage?.maxMemoryMb).toBeLessThan(200);
  });

  test("has V8 go by the function's memory, as Lambda does", async () => {
    const { lambda } = start({ memoryMb: 256 });
    expect(await lambda.invoke({})).toMatchObject({
      reply: { flags: ["--max-semi-space-size=12", "--max-old-space-size=230"] },
    });
  });
});
