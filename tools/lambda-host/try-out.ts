import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { buildRuntime, type Runtime } from "./bundles.ts";
import { createFunction, type LambdaFunction, type LambdaFunctionOptions } from "./function.ts";
import { type TemporaryFolder, temporaryFolder } from "./temporary-folder.ts";

/** A function that does what its event says, and tells which process it is. */
const HANDLER = `
export async function handler(event, context) {
  if (event.log) console.log(event.log);
  if (event.wait) await new Promise((resolve) => setTimeout(resolve, event.wait));
  if (event.fail) throw new TypeError(event.fail);
  if (event.exit) process.exit(3);
  return { pid: process.pid, name: context.functionName, now: Date.now(), env: process.env, flags: process.execArgv };
}`;

interface Given extends Partial<Pick<LambdaFunctionOptions, "concurrency" | "timeoutMs" | "memoryMb">> {
  readonly environment?: Record<string, string>;
}

interface Started {
  readonly lambda: LambdaFunction;
  /** What it has logged. */
  readonly lines: readonly string[];
}

/** Builds, for the calling test file, a function to be tried out; each start of it ends with its test. */
export function tryOutFunction(): (given?: Given) => Started {
  let runtime: Runtime;
  let folder: TemporaryFolder;

  beforeAll(async () => {
    runtime = await buildRuntime();
    folder = await temporaryFolder("orders-test-function-");
    await writeFile(join(folder.path, "function.mjs"), HANDLER);
  });
  afterAll(async () => {
    await runtime[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  return ({ environment = {}, ...given } = {}) => {
    const lines: string[] = [];
    const lambda = createFunction({
      name: "tryOut",
      runtimePath: runtime.runtime,
      bundlePath: join(folder.path, "function.mjs"),
      timeoutMs: 20_000,
      concurrency: 1,
      ...given,
      environment: async () => environment,
      onExit: () => undefined,
      onLine: (line) => lines.push(line),
    });
    onTestFinished(() => lambda.stop());
    return { lambda, lines };
  };
}
