import "./clock.ts";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { Context } from "aws-lambda";
import * as z from "zod/mini";
import { lambdaContext } from "./context.ts";
import { Invocation, type Report, type Usage } from "./messages.ts";

const Bundle = z.object({
  handler: z.custom<(event: unknown, context: Context) => unknown>((value) => typeof value === "function"),
});

interface Start {
  readonly atMs: number;
  readonly cpuMs: number;
}

// The process of one instance: imports the bundle named on the command line, and handles one event after the other. It
// ends with its host.
const [bundlePath = ""] = process.argv.slice(2);
process.on("disconnect", () => process.exit());
const { handler } = Bundle.parse(await import(pathToFileURL(bundlePath).href));
let initMs: number | undefined = performance.now();
process.on("message", (message) => void handle(Invocation.parse(message)));
report({ kind: "ready" });

async function handle(invocation: Invocation): Promise<void> {
  const { requestId } = invocation;
  const context = contextOf(invocation);
  const start: Start = { atMs: performance.now(), cpuMs: cpuMs() };
  try {
    const reply = await handler(invocation.event, context);
    const usage = usageSince(start);
    report({ kind: "replied", requestId, usage, reply: reply ?? null });
  } catch (thrown) {
    const usage = usageSince(start);
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    report({ kind: "failed", requestId, usage, errorType: error.name, errorMessage: error.message });
  }
}

function usageSince(start: Start): Usage {
  const total = cpuMs();
  const usage = {
    durationMs: performance.now() - start.atMs,
    cpuMs: total,
    handlerCpuMs: total - start.cpuMs,
    maxMemoryMb: peakMemoryKb() / 1_024,
    ...(initMs !== undefined && { initMs }),
  };
  initMs = undefined;
  return usage;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** On Linux `maxRSS` begins with what the parent process had before the exec (getrusage(2)): VmHWM is this program's own. */
function peakMemoryKb(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS;
  const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(peak);
}

function report(message: Report): void {
  process.send?.(message);
}

function contextOf({ requestId, functionName, timeoutMs }: Invocation): Context {
  const startedMs = performance.now();
  return lambdaContext(functionName, () => Math.max(0, timeoutMs - (performance.now() - startedMs)), requestId);
}
