import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { type Invocation, Report, type Usage } from "./messages.ts";

/** How an invocation ended: with the handler's reply, or with what Lambda says of a function that failed. */
export type Outcome = (
  | { readonly ok: true; readonly reply: unknown }
  | { readonly ok: false; readonly errorType: string; readonly errorMessage: string }
) & {
  /** Unless the instance died. */
  readonly usage?: Usage;
};

export interface InstanceOptions {
  readonly id: string;
  readonly functionName: string;
  /** Of `buildBundles`. */
  readonly runtimePath: string;
  readonly bundlePath: string;
  /** The whole environment: nothing of this process's own leaks into the function. */
  readonly environment: Readonly<Record<string, string>>;
  /** The function's time-out in ms: Lambda kills the instance then. */
  readonly timeoutMs: number;
  /** The function's memory in MB: Lambda has V8 collect garbage by it. Default: V8 goes by the memory of the machine. */
  readonly memoryMb?: number | undefined;
  /** Gets every line that the function logs. */
  readonly onLine: (line: string) => void;
}

/** One instance of a function: a process of its own that handles one event at a time. */
export interface Instance {
  readonly id: string;
  readonly alive: boolean;
  /** Handles an event. Never rejects: an instance that dies or takes too long is a failed invocation. */
  invoke(event: unknown): Promise<Outcome>;
  /** SIGKILL: nothing of the function runs any more, and connections break off. */
  kill(): void;
  /** SIGSTOP: the function stands still until `thaw`, or until its time-out ends the instance. */
  freeze(): void;
  thaw(): void;
  readonly exited: Promise<void>;
}

const living = new Set<ChildProcess>();

export function startInstance(options: InstanceOptions): Instance {
  const child = fork(options.runtimePath, [options.bundlePath], {
    env: { ...options.environment, AWS_LAMBDA_FUNCTION_NAME: options.functionName },
    execArgv: heapOptions(options.memoryMb),
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  endWithThisProcess(child);
  for (const output of [child.stdout, child.stderr]) if (output) createInterface(output).on("line", options.onLine);

  const ready = Promise.withResolvers<void>();
  let underWay: { requestId: string; settle: (outcome: Outcome) => void } | undefined;
  let alive = true;

  function hear(report: Report): void {
    if (report.kind === "ready") ready.resolve();
    else if (report.requestId === underWay?.requestId) underWay.settle(outcomeOf(report));
  }

  // "close" comes after "exit", when the last of its log has been read.
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  child.once("exit", (code, signal) => {
    alive = false;
    living.delete(child);
    ready.resolve();
    underWay?.settle(failure("Runtime.ExitError", `Runtime exited with ${signal ?? `exit code ${code}`}`));
  });
  child.on("message", (message) => hear(Report.parse(message)));
  // A message to a process that was just killed fails here; its exit is what counts.
  child.on("error", () => undefined);

  async function invoke(event: unknown): Promise<Outcome> {
    await ready.promise;
    if (!alive) return failure("Runtime.ExitError", "Runtime exited before it was invoked");
    const { functionName, timeoutMs } = options;
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const requestId = randomUUID();
    underWay = { requestId, settle: resolve };
    const late = setTimeout(() => {
      resolve(failure("Sandbox.Timedout", `Task timed out after ${timeoutMs / 1000} seconds`));
      child.kill("SIGKILL");
    }, timeoutMs);
    const invocation: Invocation = { requestId, functionName, timeoutMs, event };
    child.send(invocation);
    const outcome = await promise;
    clearTimeout(late);
    underWay = undefined;
    return outcome;
  }

  return {
    id: options.id,
    get alive() {
      return alive;
    },
    invoke,
    kill() {
      alive = false;
      child.kill("SIGKILL");
    },
    freeze: () => child.kill("SIGSTOP"),
    thaw: () => child.kill("SIGCONT"),
    exited,
  };
}

function outcomeOf(report: Exclude<Report, { kind: "ready" }>): Outcome {
  const { usage } = report;
  if (report.kind === "replied") return { ok: true, reply: report.reply, usage };
  return { ...failure(report.errorType, report.errorMessage), usage };
}

function failure(errorType: string, errorMessage: string): Outcome {
  return { ok: false, errorType, errorMessage };
}

/** As the bootstrap of Lambda's Node 24 runtime sets them: 5 % for the young generation's halves, 90 % for the old one. */
function heapOptions(memoryMb: number | undefined): string[] {
  if (memoryMb === undefined) return [];
  const percent = (share: number) => Math.floor((memoryMb * share) / 100);
  return [`--max-semi-space-size=${percent(5)}`, `--max-old-space-size=${percent(90)}`];
}

function endWithThisProcess(child: ChildProcess): void {
  if (living.size === 0) process.off("exit", killLiving).on("exit", killLiving);
  living.add(child);
}

/** A frozen process does not notice that its host has gone. */
function killLiving(): void {
  for (const child of living) child.kill("SIGKILL");
}
