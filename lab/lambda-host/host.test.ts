import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { type Bundles, buildBundles } from "./bundles.ts";
import { functionEnvironment } from "./environment.ts";
import { getOrderEvent } from "./events.ts";
import { createLambdaHost } from "./host.ts";
import { startInvokeEndpoint } from "./invoke-endpoint.ts";

/** A function that does what its event says, and replies with its process id. */
const HANDLER = `
export async function handler(event, context) {
  if (event.log) console.log(event.log);
  if (event.wait) await new Promise((resolve) => setTimeout(resolve, event.wait));
  if (event.fail) throw new TypeError(event.fail);
  if (event.exit) process.exit(3);
  return { pid: process.pid, name: context.functionName, now: Date.now(), env: process.env, flags: process.execArgv };
}`;

const WAIT_MS = 200;

/** Nothing listens there. */
const NOWHERE = "http://127.0.0.1:9";

const Reply = z.object({ pid: z.number(), now: z.number(), env: z.record(z.string(), z.string()) });

const ErrorLine = z.object({
  level: z.literal("ERROR"),
  error: z.object({ message: z.string(), location: z.string(), stack: z.string() }),
});

let bundles: Bundles;

beforeAll(async () => {
  bundles = await buildBundles();
  await writeFile(join(bundles.runtime, "../tryOut.mjs"), HANDLER);
});
afterAll(() => bundles[Symbol.dispose]());

async function start({ name = "tryOut", timeoutMs = 20_000, concurrency = 1, memoryMb = 512, environment = {} } = {}) {
  const lines: string[] = [];
  const bundlePath = bundles.paths[name] ?? join(bundles.runtime, "../tryOut.mjs");
  const host = await createLambdaHost({
    bundles: { runtime: bundles.runtime, paths: { [name]: bundlePath } },
    timeoutMs: () => timeoutMs,
    concurrency: () => concurrency,
    memoryMb: () => memoryMb,
    environment: async () => environment,
    onLine: (line) => lines.push(line),
  });
  onTestFinished(() => host.stop());
  const invoke = (event: unknown) => host.invoke(name, event);
  async function reply(event: unknown) {
    const outcome = await invoke(event);
    if (!outcome.ok) throw new Error(outcome.errorMessage);
    return Reply.parse(outcome.reply);
  }
  /** An invocation that goes on and on, under way. */
  async function runOn() {
    const invocation = invoke({ wait: 60_000, log: "it runs" });
    await expect.poll(() => lines).toContain("it runs");
    return { invocation, instance: host.find("tryOut-1") };
  }
  return { host, lines, invoke, reply, runOn, pidOf: async (event: unknown) => (await reply(event)).pid };
}

test("a function handles events at once in instances of their own, as many as it may have", async () => {
  const { pidOf } = await start({ concurrency: 2 });
  const pids = await Promise.all([1, 2, 3, 4].map(() => pidOf({ wait: 50 })));
  expect(new Set(pids).size).toBe(2);
});

test("a function that throws keeps its instance, and tells type and message", async () => {
  const { invoke, pidOf } = await start();
  const pid = await pidOf({});
  const failure = { ok: false, errorType: "TypeError", errorMessage: "no" };
  expect(await invoke({ fail: "no" })).toMatchObject(failure);
  expect(await pidOf({})).toBe(pid);
});

test("a function whose instance ends or is killed fails that event alone", async () => {
  const { invoke, pidOf, runOn } = await start();
  const pid = await pidOf({});
  const { invocation, instance } = await runOn();
  instance?.kill();
  expect(await invocation).toMatchObject({ ok: false, errorType: "Runtime.ExitError" });
  expect(await invoke({ exit: true })).toMatchObject({ ok: false, errorType: "Runtime.ExitError" });
  expect(await pidOf({})).not.toBe(pid);
});

test.each([
  { what: "takes longer", freeze: false },
  { what: "is frozen", freeze: true },
])("an instance that $what is killed at its time-out", async ({ freeze }) => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const { pidOf, runOn } = await start({ timeoutMs: 10_000 });
  const pid = await pidOf({});
  const { invocation, instance } = await runOn();
  if (freeze) instance?.freeze();
  if (freeze && process.platform === "linux") await expect.poll(() => stateOf(pid)).toBe("T");

  // `expect.poll` has moved the clock a little.
  vi.advanceTimersByTime(9_000);
  expect(instance?.alive).toBe(true);
  vi.advanceTimersByTime(1_000);

  const errorMessage = "Task timed out after 10 seconds";
  expect(await invocation).toMatchObject({ ok: false, errorType: "Sandbox.Timedout", errorMessage });
  expect(await pidOf({})).not.toBe(pid);
});

test("a function sees its own environment and nothing of its host's, and a clock that may be wrong", async () => {
  const { reply } = await start({ environment: { COLOUR: "red", LAMBDA_CLOCK_SKEW_MS: "3600000" } });
  const { env, now } = await reply({});
  expect(env).toMatchObject({ COLOUR: "red" });
  expect(env).not.toHaveProperty("PATH");
  expect(now - Date.now()).toBeGreaterThan(3_000_000);
});

test("a function tells what each invocation took, as Lambda's REPORT line does, and its start once", async () => {
  const { invoke } = await start();
  const first = await invoke({ wait: WAIT_MS });
  const startedAt = performance.now();
  const second = await invoke({ fail: "no" });
  const seenFromOutsideMs = performance.now() - startedAt;
  const figures = ["durationMs", "handlerCpuMs", "maxMemoryMb", "initMs"];
  expect(first.usage).toEqual(Object.fromEntries(figures.map((name) => [name, expect.any(Number)])));
  // A timer may end a fraction before its time.
  expect(first.usage?.durationMs).toBeGreaterThan(WAIT_MS - 5);
  // Its own time, and nothing of the invocation before: by a clock that stands still with the machine, as it does.
  expect(second.usage?.durationMs).toBeLessThanOrEqual(seenFromOutsideMs);
  expect(second.usage).not.toHaveProperty("initMs");
});

test("a function tells its own memory, and nothing of its host's; V8 goes by it, as on Lambda", async () => {
  const { invoke } = await start({ memoryMb: 256 });
  const hostsOwn = Buffer.alloc(300 * 1024 * 1024, 1);
  const outcome = await invoke({});
  expect(hostsOwn.length).toBeGreaterThan(0);
  expect(outcome.usage?.maxMemoryMb).toBeGreaterThan(10);
  expect(outcome.usage?.maxMemoryMb).toBeLessThan(200);
  expect(outcome).toMatchObject({ reply: { flags: ["--max-semi-space-size=12", "--max-old-space-size=230"] } });
});

test("Invoke answers with the reply, with the function's error, and 404 for a function that is not there", async () => {
  const { host } = await start();
  const endpoint = await startInvokeEndpoint((name, event) => (host.has(name) ? host.invoke(name, event) : undefined));
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

test.for([
  ["getOrder", "cannot reach Redis", getOrderEvent("01JD7Y4Q2X8WZ5V3T1R9P7N6MB"), "new ServiceError("],
  ["completeOrder", "cannot reach Redis", { pk: "01JD7Y4Q2X8WZ5V3T1R9P7N6MB" }, "new ServiceError("],
  ["completeOrder", "gets no pk", {}, "DueOrder.parse("],
] as const)("when %s %s, its log line names the source line and has one stack", async ([name, , event, code]) => {
  const urls = { upstashUrl: NOWHERE, schedulerUrl: NOWHERE, inventoryUrl: "", skewMs: 0 };
  const { host, invoke, lines } = await start({ name, environment: functionEnvironment(urls) });
  await invoke(event);
  await host.stop();

  const line = lines.find((line) => line.includes('"level":"ERROR"')) ?? "";
  const { error } = ErrorLine.parse(JSON.parse(line));
  // The last folder of that name: that of the project may have it too.
  const [, source = "", number] = /.*\b((?:lib|functions)\/[\w/-]+\.ts):(\d+)$/.exec(error.location) ?? [];
  const text = await readFile(new URL(`../../${source}`, import.meta.url), "utf8");
  expect(text.split("\n")[Number(number) - 1]).toContain(code);
  expect(error.stack).toContain(`${error.message}\n    at `);
  expect(error.stack).not.toContain(`${name}.mjs`);
  expect(line.match(/"stack":/g)).toHaveLength(1);
});

/** The state of a process as proc_pid_stat(5) has it, after its name in parentheses: `T` of one that was stopped. */
async function stateOf(pid: unknown): Promise<string | undefined> {
  return /.*\) (\w)/.exec(await readFile(`/proc/${pid}/stat`, "utf8"))?.[1];
}
