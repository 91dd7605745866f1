/**
 * What Lambda's REPORT line says of an invocation, measured inside the instance, so that what the host takes to hand events
 * over does not count (https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html).
 */
export interface Usage {
  /** From the handler's call to its reply, in ms. */
  readonly durationMs: number;
  /** The CPU time of the process in that time, in ms: other work on the machine hardly changes it. */
  readonly handlerCpuMs: number;
  /** The most memory that the instance ever had, in MB of 1024 * 1024 bytes. */
  readonly maxMemoryMb: number;
  /** From the start of the process until the function was loaded, in ms; of the instance's first invocation only. */
  readonly initMs?: number;
}

/** How an invocation ended: with the handler's reply, or with what Lambda says of a function that failed. */
export type Outcome = (
  | { readonly ok: true; readonly reply: unknown }
  | { readonly ok: false; readonly errorType: string; readonly errorMessage: string }
) & {
  /** Unless the instance died. */
  readonly usage?: Usage;
};
