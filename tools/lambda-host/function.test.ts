import { readFile } from "node:fs/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import type { LambdaFunction } from "./function.ts";
import { startInvokeEndpoint } from "./invoke-endpoint.ts";
import { tryOutFunction } from "./try-out.ts";

const tryOut = tryOutFunction();

function start(given: Parameters<typeof tryOut>[0] = {}) {
  const { lambda, lines } = tryOut(given);
  return { lambda, lines, pidOf: (event: unknown) => pidOf(lambda, event) };
}

async function pidOf(lambda: LambdaFunction, event: unknown) {
  const outcome = await lambda.invoke(event);
  return outcome.ok ? (outcome.reply as { pid: number }).pid : outcome;
}

/** The state of a process as proc_pid_stat(5) has it, after its name in parentheses: `T` of one that was stopped. */
async function stateOf(pid: unknown): Promise<string | undefined> {
  return /.*\) (\w)/.exec(await readFile(`/proc/${pid}/stat`, "utf8"))?.[1];
}

describe("a function", () => {
  test("handles one event after the other in the same instance", async () => {
    const { pidOf } = start();
    const pids = await Promise.all([pidOf({}), pidOf({}), pidOf({})]);
    expect(new Set(pids).size).toBe(1);
  });

  test("handles events at once in instances of their own, as many as it may have", async () => {
    const { pidOf } = start({ concurrency: 2 });
    const pids = await Promise.all([1, 2, 3, 4].map(() => pidOf({ wait: 50 })));
    expect(new Set(pids).size).toBe(2);
  });

  test("that throws keeps its instance, and tells type and message", async () => {
    const { lambda, pidOf } = start();
    const pid = await pidOf({});
    expect(await lambda.invoke({ fail: "no" })).toMatchObject({
      ok: false,
      errorType: "TypeError",
      errorMessage: "no",
    });
    expect(await pidOf({})).toBe(pid);
  });

  test("whose instance dies fails that event alone", async () => {
    const { lambda, pidOf } = start();
    const pid = await pidOf({});
    expect(await lambda.invoke({ exit: true })).toMatchObject({ ok: false, errorType: "Runtime.ExitError" });
    expect(await pidOf({})).not.toBe(pid);
  });

  test("that is killed from outside fails that event alone", async () => {
    const { lambda, lines, pidOf } = start();
    const killed = lambda.invoke({ wait: 60_000, log: "it runs" });
    await expect.poll(() => lines).toContain("it runs");
    lambda.find("tryOut-1")?.kill();
    expect(await killed).toMatchObject({ ok: false, errorType: "Runtime.ExitError" });
    expect(await pidOf({})).toEqual(expect.any(Number));
  });

  test("that is frozen does not go on, and ends at its time-out", async () => {
    const { lambda, lines, pidOf } = start({ timeoutMs: 10_000 });
    const pid = await pidOf({});
    const frozen = lambda.invoke({ wait: 60_000, log: "it runs" });
    await expect.poll(() => lines).toContain("it runs");
    lambda.find("tryOut-1")?.freeze();
    if (process.platform === "linux") await expect.poll(() => stateOf(pid)).toBe("T");
    expect(await frozen).toMatchObject({ ok: false, errorType: "Sandbox.Timedout" });
  });

  test("that takes longer than its time-out is killed", async () => {
    const { lambda, pidOf } = start({ timeoutMs: 1_000 });
    const pid = await pidOf({});
    expect(await lambda.invoke({ wait: 60_000 })).toEqual({
      ok: false,
      errorType: "Sandbox.Timedout",
      errorMessage: "Task timed out after 1 seconds",
    });
    expect(await pidOf({})).not.toBe(pid);
  });

  test("sees its own environment and nothing of its host's, and a clock that may be wrong", async () => {
    const { lambda, lines } = start({ environment: { COLOUR: "red", LAMBDA_CLOCK_SKEW_MS: "3600000" } });
    const outcome = await lambda.invoke({ log: "a line" });
    expect(outcome).toMatchObject({ ok: true, reply: { env: { COLOUR: "red" }, name: "tryOut" } });
    const { env, now } = (outcome as { reply: { env: object; now: number } }).reply;
    expect(env).not.toHaveProperty("PATH");
    expect(now - Date.now()).toBeGreaterThan(3_000_000);
    await expect.poll(() => lines).toContain("a line");
  });
});

test("Invoke answers with the reply, with the function's error, and 404 for a function that is not there", async () => {
  const { lambda } = start();
  const endpoint = await startInvokeEndpoint((name, event) => (name === "tryOut" ? lambda.invoke(event) : undefined));
  onTestFinished(() => endpoint.stop());
  const invoke = (name: string, event: unknown) =>
    fetch(`${endpoint.url}/2015-03-31/functions/${name}/invocations`, { method: "POST", body: JSON.stringify(event) });

  const done = await invoke("tryOut", {});
  expect([done.status, await done.json()]).toMatchObject([200, { name: "tryOut" }]);
  const failed = await invoke("tryOut", { fail: "no" });
  expect([failed.status, failed.headers.get("x-amz-function-error")]).toEqual([200, "Unhandled"]);
  expect(await failed.json()).toEqual({ errorType: "TypeError", errorMessage: "no" });
  expect((await invoke("another", {})).status).toBe(404);
});
