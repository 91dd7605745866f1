import { type ChildProcess, fork } from "node:child_process";
import { createInterface } from "node:readline";
import type { Outcome } from "./outcome.ts";

interface InstanceOptions {
  readonly functionName: string;
  /** Of `buildBundles`. */
  readonly runtimePath: string;
  readonly bundlePath: string;
  /** The whole environment: nothing of this process's own leaks into the function. */
  readonly environment: Readonly<Record<string, string>>;
  /** The function's time-out in ms: Lambda kills the instance then. */
  readonly timeoutMs: number;
  /** The function's memory in MB: Lambda has V8 collect garbage by it. Undefined: V8 goes by the memory of the machine. */
  readonly memoryMb: number | undefined;
  /** Gets every line that the function logs. */
  readonly onLine: (line: string) => void;
}

/** One instance of a function: a process of its own that handles one event at a time. */
export type Instance = ReturnType<typeof startInstance>;

const living = new Set<ChildProcess>();

export function startInstance({ functionName, timeoutMs, onLine, ...options }: InstanceOptions) {
  const child = fork(options.runtimePath, [options.bundlePath, String(timeoutMs)], {
    env: { ...options.environment, AWS_LAMBDA_FUNCTION_NAME: functionName },
    execArgv: heapOptions(options.memoryMb),
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  if (living.size === 0) process.off("exit", killLiving).on("exit", killLiving);
  living.add(child);
  for (const output of [child.stdout, child.stderr]) if (output) createInterface(output).on("line", onLine);

  const ready = Promise.withResolvers<void>();
  let settle: (outcome: Outcome) => void = () => undefined;
  let alive = true;

  // "close" comes after "exit", when the last of its log has been read.
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  child.once("exit", (code, signal) => {
    alive = false;
    living.delete(child);
    ready.resolve();
    settle(failure("Runtime.ExitError", `Runtime exited with ${signal ?? `exit code ${code}`}`));
  });
  child.once("message", () => {
    ready.resolve();
    child.on("message", (outcome: Outcome) => settle(outcome));
  });
  // A message to a process that was just killed fails here; its exit is what counts.
  child.on("error", () => undefined);

  function kill(): void {
    alive = false;
    child.kill("SIGKILL");
  }

  return {
    get alive() {
      return alive;
    },
    exited,
    /** Handles an event. Never rejects: an instance that dies or takes too long is a failed invocation. */
    async invoke(event: unknown): Promise<Outcome> {
      await ready.promise;
      if (!alive) return failure("Runtime.ExitError", "Runtime exited before it was invoked");
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      settle = resolve;
      const late = setTimeout(() => {
        resolve(failure("Sandbox.Timedout", `Task timed out after ${timeoutMs / 1_000} seconds`));
        kill();
      }, timeoutMs);
      child.send({ event });
      return promise.finally(() => clearTimeout(late));
    },
    /** SIGKILL: nothing of the function runs any more, and connections break off. */
    kill,
    /** SIGSTOP: the function is frozen until `thaw`, or until its time-out ends the instance. */
    freeze: () => child.kill("SIGSTOP"),
    thaw: () => child.kill("SIGCONT"),
  };
}

export function failure(errorType: string, errorMessage: string): Outcome {
  return { ok: false, errorType, errorMessage };
}

/** As the bootstrap of Lambda's Node 24 runtime sets them: 5 % for the young generation's halves, 90 % for the old one. */
function heapOptions(memoryMb: number | undefined): string[] {
  if (memoryMb === undefined) return [];
  const percent = (share: number) => Math.floor((memoryMb * share) / 100);
  return [`--max-semi-space-size=${percent(5)}`, `--max-old-space-size=${percent(90)}`];
}

/** A frozen process does not notice that its host has gone. */
function killLiving(): void {
  for (const child of living) child.kill("SIGKILL");
}
