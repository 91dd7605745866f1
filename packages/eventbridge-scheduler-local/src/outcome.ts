import type { IncomingMessage } from "node:http";
import { z } from "zod";

const DONE = { kind: "done" } as const;

/** https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html */
const functionErrorSchema = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue("not JSON");
      return z.NEVER;
    }
  })
  .pipe(z.object({ errorType: z.string(), errorMessage: z.string() }));

/** How an invocation ended. `undelivered`: the function did not get the event, or nobody knows whether it did. */
export type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "function-error"; readonly message: string }
  | { readonly kind: "undelivered"; readonly code: string; readonly message: string };

/** @param body the reply's whole body. */
export function outcomeOfReply(reply: IncomingMessage, body: string): Outcome {
  const status = reply.statusCode ?? 0;
  if (status < 200 || status >= 300) {
    const type = reply.headers["x-amzn-errortype"];
    const code = typeof type === "string" ? type : `HTTP ${status}`;
    return { kind: "undelivered", code, message: `Lambda answered ${status}: ${excerpt(body)}` };
  }
  return reply.headers["x-amz-function-error"] ? { kind: "function-error", message: functionError(body) } : DONE;
}

/** Of what kept the event from being sent, or its answer from coming. */
export function outcomeOfError(error: unknown): Outcome {
  if (!(error instanceof Error)) return { kind: "undelivered", code: "INVOCATION_FAILED", message: String(error) };
  const code = "code" in error ? String(error.code) : "INVOCATION_FAILED";
  // Every address of a host that refused makes one AggregateError with a code and no message.
  return { kind: "undelivered", code, message: error.message || code };
}

/** Without the stack trace, which the function's own log has. */
function functionError(body: string): string {
  const error = functionErrorSchema.safeParse(body);
  return excerpt(error.success ? `${error.data.errorType}: ${error.data.errorMessage}` : body);
}

/** One line, and short: it goes into a log line and into a dead letter's attributes. */
function excerpt(text: string): string {
  return text.replaceAll(/\s+/g, " ").slice(0, 300);
}
