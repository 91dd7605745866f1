import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { Context } from "aws-lambda";
import * as z from "zod/mini";
import { lambdaContext } from "./context.ts";
import type { Outcome, Usage } from "./outcome.ts";

const Bundle = z.object({
  handler: z.custom<(event: unknown, context: Context) => unknown>((value) => typeof value === "function"),
});

// The process of one instance: imports the bundle that the command line names, and handles one event after the other. It
// ends with its host.
const [bundlePath = "", timeoutMs] = process.argv.slice(2);
const { AWS_LAMBDA_FUNCTION_NAME: functionName = "", LAMBDA_CLOCK_SKEW_MS: skewMs = "0" } = process.env;

process.on("disconnect", () => process.exit());
if (Number(skewMs) !== 0) skewClock(Number(skewMs));
const { handler } = Bundle.parse(await import(pathToFileURL(bundlePath).href));
let initMs: number | undefined = performance.now();
process.on("message", handle);
process.send?.("ready");

async function handle({ event }: { readonly event: unknown }): Promise<void> {
  const startedMs = performance.now();
  const startedCpu = process.cpuUsage();
  const remainingMs = () => Math.max(0, Number(timeoutMs) - (performance.now() - startedMs));

  function usage(): Usage {
    const { user, system } = process.cpuUsage(startedCpu);
    const durationMs = performance.now() - startedMs;
    const maxMemoryMb = peakMemoryKb() / 1_024;
    const init = initMs === undefined ? {} : { initMs };
    initMs = undefined;
    return { durationMs, handlerCpuMs: (user + system) / 1_000, maxMemoryMb, ...init };
  }

  let outcome: Outcome;
  try {
    const reply = await handler(event, lambdaContext(functionName, remainingMs, randomUUID()));
    outcome = { ok: true, reply: reply ?? null, usage: usage() };
  } catch (thrown) {
    const { name, message } = thrown instanceof Error ? thrown : new Error(String(thrown));
    outcome = { ok: false, errorType: name, errorMessage: message, usage: usage() };
  }
  process.send?.(outcome);
}

/** On Linux `maxRSS` begins with what the parent process had before the exec (getrusage(2)): VmHWM is this program's own. */
function peakMemoryKb(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS;
  const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(peak);
}

/** Timers and `performance.now` go on as they were, as with a machine whose clock is wrong but steady. */
function skewClock(aheadMs: number): void {
  const MachineDate = Date;
  const now = () => MachineDate.now() + aheadMs;
  class SkewedDate extends MachineDate {
    constructor(...given: unknown[]) {
      super(...((given.length === 0 ? [now()] : given) as [number]));
    }
    static override now = now;
  }
  globalThis.Date = SkewedDate as DateConstructor;
}
