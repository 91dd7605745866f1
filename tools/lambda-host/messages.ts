import * as z from "zod/mini";

/** From the host to an instance: one event to handle. */
export const Invocation = z.object({
  requestId: z.string(),
  functionName: z.string(),
  /** How long the function may take, in ms. */
  timeoutMs: z.number(),
  event: z.unknown(),
});
export type Invocation = z.infer<typeof Invocation>;

/**
 * What Lambda's REPORT line says of an invocation, measured inside the instance, so that what the host takes to hand events
 * over does not count (https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html).
 */
export const Usage = z.object({
  /** From the handler's call to its reply, in ms. */
  durationMs: z.number(),
  /** The most memory that the instance ever had, in MB of 1024 * 1024 bytes. */
  maxMemoryMb: z.number(),
  /** The CPU time that the process has had so far, in ms: other work on the machine hardly changes it. */
  cpuMs: z.number(),
  /** The part of it from the handler's call to its reply. */
  handlerCpuMs: z.number(),
  /** From the start of the process until the function was loaded, in ms; in the instance's first report only. */
  initMs: z.optional(z.number()),
});
export type Usage = z.infer<typeof Usage>;

/** From an instance to the host. */
export const Report = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("ready") }),
  z.object({ kind: z.literal("replied"), requestId: z.string(), usage: Usage, reply: z.unknown() }),
  z.object({
    kind: z.literal("failed"),
    requestId: z.string(),
    usage: Usage,
    errorType: z.string(),
    errorMessage: z.string(),
  }),
]);
export type Report = z.infer<typeof Report>;
