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

/** From an instance to the host. */
export const Report = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("ready") }),
  z.object({ kind: z.literal("replied"), requestId: z.string(), reply: z.unknown() }),
  z.object({ kind: z.literal("failed"), requestId: z.string(), errorType: z.string(), errorMessage: z.string() }),
]);
export type Report = z.infer<typeof Report>;
