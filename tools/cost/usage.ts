import type { Operation } from "./counts.ts";
import type { PriceList } from "./prices.ts";
import { countOf } from "./redis-commands.ts";

/** What is billed of one or more invocations. */
export interface Usage {
  readonly invocations: number;
  /** At the speed of Lambda, by a model; and as measured on this machine, at full speed and with Redis beside it. */
  readonly gbSeconds: number;
  readonly measuredGbSeconds: number;
  readonly commands: number;
  readonly ownLogBytes: number;
}

/** Of one call of an operation. */
export function usageOf(operation: Operation, prices: PriceList): Usage {
  const { calls, memoryMb } = operation;
  const gbSeconds = (ms: number) => (memoryMb / 1024) * (ms / 1000);
  const { measuredMs, modelledMs } = durationOf(operation, prices);
  return {
    invocations: 1,
    gbSeconds: gbSeconds(modelledMs),
    measuredGbSeconds: gbSeconds(measuredMs),
    commands: countOf(operation.commands) / calls,
    ownLogBytes: operation.logBytes / calls,
  };
}

/**
 * How long a call is billed, in ms, cold starts in their share among the others. `modelledMs` takes all that was measured
 * for CPU, which Lambda gives in proportion to memory, and adds what a function waits for others: rather too long, above
 * all for cold starts, which Lambda gives more CPU than it promises.
 */
export function durationOf(operation: Operation, { assumptions }: PriceList) {
  const { calls, memoryMb, warmCalls, warmBilledMs, warmMedianMs, coldCalls, coldBilledMs } = operation;
  const cold = assumptions.coldStartShare.value;
  const slowness = Math.max(1, assumptions.fullVcpuMb.value / memoryMb);
  const waitMs =
    (operation.redisRequests / calls) * assumptions.redisRoundTripMs.value +
    (operation.schedulerRequests / calls) * assumptions.schedulerRoundTripMs.value;
  const coldMs = coldBilledMs / Math.max(1, coldCalls);
  // A run of one call has a cold one only.
  const warmMs = warmCalls > 0 ? warmBilledMs / warmCalls : coldMs;
  // The median: this machine may be busy with other things, which are not Lambda's.
  const modelledWarmMs = Math.ceil((warmCalls > 0 ? warmMedianMs : coldMs) * slowness + waitMs);
  const modelledColdMs = Math.ceil(coldMs * slowness + waitMs);
  return {
    measuredMs: (1 - cold) * warmMs + cold * coldMs,
    modelledMs: (1 - cold) * modelledWarmMs + cold * modelledColdMs,
  };
}

/** The sum of usages, each taken so many times; a negative number takes away. */
export function total(...parts: readonly (readonly [times: number, usage: Usage])[]): Usage {
  const add = (of: (usage: Usage) => number) => parts.reduce((sum, [times, usage]) => sum + times * of(usage), 0);
  return {
    invocations: add((usage) => usage.invocations),
    gbSeconds: add((usage) => usage.gbSeconds),
    measuredGbSeconds: add((usage) => usage.measuredGbSeconds),
    commands: add((usage) => usage.commands),
    ownLogBytes: add((usage) => usage.ownLogBytes),
  };
}
