import { spawn } from "node:child_process";
import { once } from "node:events";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { declaredFunctions } from "../../infra/serverless-yml.ts";
import { bundle } from "../../lab/lambda-host/build.ts";
import { sampleEvent } from "../../lab/lambda-host/events.ts";
import { useFunctions } from "../support/functions.ts";
import { useInventory } from "../support/inventory.ts";
import { useRedis } from "../support/redis.ts";

const FETCH = "NativeModule internal/deps/undici/undici";
const CRYPTO = "NativeModule crypto";

/** What needs random numbers and hashes; the others have no use for Node's `crypto`. */
const USE_CRYPTO = ["createOrder", "completeOrder", "drainRefunds", "sweepOrders"];

/** Whether Redis, Scheduler and the inventory are called. Most functions call Redis alone. */
const REDIS = [true, false, false];
const NOBODY = [false, false, false];
const CALLS: Readonly<Record<string, readonly boolean[]>> = {
  createOrder: [true, true, true],
  docs: NOBODY,
  unknownRoute: NOBODY,
};

const Handled = z.object({ parameters: z.int(), modules: z.array(z.string()) });

const inventory = useInventory();
const functions = useFunctions(useRedis(), inventory);

/** The parameters of a built handler, and the modules of Node.js that a new process has loaded after its first event. */
async function firstEvent(source: string, event: unknown, env: Readonly<Record<string, string>> = {}) {
  using built = await bundle(source);
  // Only the fields of the context that middy uses.
  const program = `
    const { handler } = await import(${JSON.stringify(pathToFileURL(built.path).href)});
    await handler(${JSON.stringify(event)}, { getRemainingTimeInMillis: () => 60_000 });
    process.send({ parameters: handler.length, modules: process.moduleLoadList }, () => process.exit());`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...process.env, ...env },
  });
  onTestFinished(() => void child.kill());
  const [message] = await Promise.race([once(child, "message"), once(child, "exit")]);
  return Handled.parse(message);
}

test.for(Object.entries(declaredFunctions))(
  "%s has no callback, which Lambda's Node 24 refuses, and handles an event without loading what it does not use",
  async ([name, { handler }]) => {
    const { parameters, modules } = await firstEvent(handler.replace(/\.handler$/, ".ts"), await sampleEvent(name));

    expect(parameters).toBeLessThan(3);
    expect(modules).not.toContain(FETCH);
    expect(modules.includes(CRYPTO)).toBe(USE_CRYPTO.includes(name));
    const called = [functions.upstash.requests, functions.scheduler.requests, inventory.questions];
    expect(called.map((requests) => requests.length > 0)).toEqual(CALLS[name] ?? REDIS);
  },
);

test("with completion: sweep createOrder neither calls EventBridge Scheduler nor reads its variables", async () => {
  const env = { COMPLETION: "sweep", SCHEDULE_GROUP: "", AWS_REGION: "" };

  await firstEvent("functions/create-order.ts", await sampleEvent("createOrder"), env);

  expect(functions.upstash.requests.length).toBeGreaterThan(0);
  expect(functions.scheduler.requests).toEqual([]);
});
