import type { Context } from "aws-lambda";

/** Of an invocation that is given no other. */
export const REQUEST_ID = "5f0c5f5e-2d0c-4d5c-9b1c-3b1f1c6f7a10";

/** The context that Lambda's Node 24 runtime gives a handler; by default there are always 10 seconds left. */
export function lambdaContext(
  functionName: string,
  timeLeftMs: () => number = () => 10_000,
  requestId: string = REQUEST_ID,
): Context {
  return {
    awsRequestId: requestId,
    callbackWaitsForEmptyEventLoop: true,
    functionName,
    functionVersion: "$LATEST",
    invokedFunctionArn: `arn:aws:lambda:eu-central-1:000000000000:function:${functionName}`,
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: `[$LATEST]${process.pid}`,
    memoryLimitInMB: "512",
    getRemainingTimeInMillis: timeLeftMs,
    done: refuseCallback,
    fail: refuseCallback,
    succeed: refuseCallback,
  };
}

function refuseCallback(): never {
  throw new Error("Lambda's Node 24 runtime has no callbacks");
}
