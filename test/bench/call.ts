import { z } from "zod";
import type { MeasuredStack } from "./stack.ts";

const HttpReply = z.object({ statusCode: z.int() });

/**
 * Invokes a function for what it takes, in ms, as Lambda would bill it.
 * @throws Error when the function failed, or answered an error: what does not do its work is not measured
 */
export async function call(stack: MeasuredStack, functionName: string, event: unknown): Promise<number> {
  const outcome = await stack.invoke(functionName, event);
  if (!outcome.ok) throw new Error(`${functionName} failed: ${outcome.errorType} ${outcome.errorMessage}`);
  const reply = HttpReply.safeParse(outcome.reply);
  if (reply.success && reply.data.statusCode >= 400)
    throw new Error(`${functionName}: ${JSON.stringify(outcome.reply)}`);
  if (!outcome.usage) throw new Error(`${functionName} did not say what it used`);
  return outcome.usage.durationMs;
}
