import { z } from "zod";
import type { Usage } from "../../test/lambda/messages.ts";
import type { MeasuredStack } from "./stack.ts";

const HttpReply = z.object({ statusCode: z.int() });

/** What an invocation takes, in ms, as Lambda would bill it. @throws Error as `use` does */
export async function call(stack: MeasuredStack, functionName: string, event: unknown): Promise<number> {
  return (await use(stack, functionName, event)).durationMs;
}

/**
 * Invokes a function for what it uses.
 * @throws Error when the function failed, or answered an error: what does not do its work is not measured
 */
export async function use(stack: MeasuredStack, functionName: string, event: unknown): Promise<Usage> {
  const outcome = await stack.invoke(functionName, event);
  if (!outcome.ok) throw new Error(`${functionName} failed: ${outcome.errorType} ${outcome.errorMessage}`);
  const reply = HttpReply.safeParse(outcome.reply);
  if (reply.success && reply.data.statusCode >= 400)
    throw new Error(`${functionName}: ${JSON.stringify(outcome.reply)}`);
  if (!outcome.usage) throw new Error(`${functionName} did not say what it used`);
  return outcome.usage;
}
