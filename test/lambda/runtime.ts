import "./clock.ts";
import { pathToFileURL } from "node:url";
import type { Context } from "aws-lambda";
import * as z from "zod/mini";
import { Invocation, type Report } from "./messages.ts";

/**
 * The process of one instance: imports the bundle named on the command line, and handles one event after the other. It
 * ends with its host.
 */
const Handler = z.custom<(event: unknown, context: Context) => unknown>((value) => typeof value === "function");
const Bundle = z.object({ handler: Handler });

const [bundlePath = ""] = process.argv.slice(2);
process.on("disconnect", () => process.exit());
const { handler } = Bundle.parse(await import(pathToFileURL(bundlePath).href));
process.on("message", (message) => void handle(Invocation.parse(message)));
report({ kind: "ready" });

async function handle(invocation: Invocation): Promise<void> {
  const { requestId } = invocation;
  try {
    const reply = await handler(invocation.event, contextOf(invocation));
    report({ kind: "replied", requestId, reply: reply ?? null });
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    report({ kind: "failed", requestId, errorType: error.name, errorMessage: error.message });
  }
}

function report(message: Report): void {
  process.send?.(message);
}

function contextOf({ requestId, functionName, timeoutMs }: Invocation): Context {
  const startedMs = performance.now();
  return {
    awsRequestId: requestId,
    callbackWaitsForEmptyEventLoop: true,
    functionName,
    functionVersion: "$LATEST",
    invokedFunctionArn: `arn:aws:lambda:eu-central-1:000000000000:function:${functionName}`,
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: `[$LATEST]${process.pid}`,
    memoryLimitInMB: "512",
    getRemainingTimeInMillis: () => Math.max(0, timeoutMs - (performance.now() - startedMs)),
    done: refuseCallback,
    fail: refuseCallback,
    succeed: refuseCallback,
  };
}

function refuseCallback(): never {
  throw new Error("Lambda's Node 24 runtime has no callbacks");
}
