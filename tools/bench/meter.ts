import type { Outcome } from "../../test/lambda/instance.ts";

/** What a function has used so far, as AWS would bill it. */
export interface FunctionUsage {
  invocations: number;
  /** Invocations that failed, among them. */
  failures: number;
  /** Of each invocation, in order, in ms; none of one whose instance died. */
  readonly durationsMs: number[];
  /** Of each instance, in order, in ms. */
  readonly initsMs: number[];
  /** Of all instances, in MB of 1024 * 1024 bytes. */
  maxMemoryMb: number;
  /** What it wrote to its log, in UTF-8, ends of lines included. */
  logBytes: number;
}

/** Keeps the usage of every function, by its name. */
export interface Meter {
  /** Stays up to date; all zero for a function that was never invoked. */
  of(functionName: string): FunctionUsage;
  countOutcome(functionName: string, outcome: Outcome): void;
  countLine(functionName: string, line: string): void;
}

export function createMeter(): Meter {
  const usages = new Map<string, FunctionUsage>();

  function of(functionName: string): FunctionUsage {
    const usage = usages.get(functionName) ?? none();
    usages.set(functionName, usage);
    return usage;
  }

  return {
    of,
    countOutcome(functionName, outcome) {
      const counted = of(functionName);
      counted.invocations += 1;
      if (!outcome.ok) counted.failures += 1;
      if (!outcome.usage) return;
      const { durationMs, initMs, maxMemoryMb } = outcome.usage;
      counted.durationsMs.push(durationMs);
      if (initMs !== undefined) counted.initsMs.push(initMs);
      counted.maxMemoryMb = Math.max(counted.maxMemoryMb, maxMemoryMb);
    },
    countLine(functionName, line) {
      of(functionName).logBytes += Buffer.byteLength(line) + 1;
    },
  };
}

function none(): FunctionUsage {
  return { invocations: 0, failures: 0, durationsMs: [], initsMs: [], maxMemoryMb: 0, logBytes: 0 };
}
