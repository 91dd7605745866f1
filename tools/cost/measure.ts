import type { MeasuredStack } from "../bench/stack.ts";
import { median } from "../bench/statistics.ts";
import type { Operation } from "./counts.ts";
import { type Commands, commandsOf, difference, sum } from "./redis-commands.ts";

/** @param index of the call, from 0 */
export type Step = (index: number) => Promise<unknown>;

export interface Measured {
  readonly functionName: string;
  readonly memoryMb: number;
  readonly calls: number;
  /** What others do before the call: not counted. */
  readonly prepare?: Step;
  readonly call: Step;
}

/**
 * Makes the calls one after the other, beginning with a cold start, and counts what they use.
 * @throws Error when the function was invoked another number of times than it was called, or failed
 */
export async function measure(stack: MeasuredStack, measured: Measured): Promise<Operation> {
  const { functionName, memoryMb, calls, prepare, call } = measured;
  await stack.recycle(functionName);
  const usage = stack.usageOf(functionName);
  const before = { ...usage, durations: usage.durationsMs.length, inits: usage.initsMs.length };
  const used = { api: 0, upstash: 0, scheduler: 0 };
  const commands: Commands[] = [];

  for (let index = 0; index < calls; index += 1) {
    await prepare?.(index);
    const [requests, ran] = [stack.requests(), await commandsOf(stack.redis)];
    await call(index);
    commands.push(difference(ran, await commandsOf(stack.redis)));
    const now = stack.requests();
    for (const server of ["api", "upstash", "scheduler"] as const) used[server] += now[server] - requests[server];
  }
  // Its log has been read to the end by then.
  await stack.recycle(functionName);

  const durations = usage.durationsMs.slice(before.durations);
  const [initMs, ...moreInits] = usage.initsMs.slice(before.inits);
  const [firstMs, ...warm] = durations;
  const failed = usage.failures > before.failures;
  if (failed || durations.length !== calls || initMs === undefined || firstMs === undefined || moreInits.length > 0) {
    throw new Error(
      `${functionName} did not run as called: ${durations.length} of ${calls} invocations, failed: ${failed}`,
    );
  }
  return {
    functionName,
    memoryMb,
    calls,
    warmCalls: warm.length,
    warmBilledMs: warm.reduce((total, ms) => total + Math.ceil(ms), 0),
    warmMedianMs: medianMs(warm),
    coldCalls: 1,
    coldBilledMs: Math.ceil(initMs + firstMs),
    logBytes: usage.logBytes - before.logBytes,
    httpRequests: used.api,
    redisRequests: used.upstash,
    schedulerRequests: used.scheduler,
    commands: sum(commands),
  };
}

/** To a hundredth. A function that was called once has no warm call. */
const medianMs = (warm: readonly number[]): number => (warm.length === 0 ? 0 : Math.round(median(warm) * 100) / 100);
