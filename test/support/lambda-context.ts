import type { Context } from "aws-lambda";

export const REGION = "eu-central-1";

export const REQUEST_ID = "5f0c5f5e-2d0c-4d5c-9b1c-3b1f1c6f7a10";

/** The context of an invocation; by default 10 seconds are left for ever. */
export function lambdaContext(functionName: string, timeLeftMs: () => number = () => 10_000): Context {
  return {
    awsRequestId: REQUEST_ID,
    callbackWaitsForEmptyEventLoop: true,
    functionName: `orders-test-${functionName}`,
    functionVersion: "$LATEST",
    invokedFunctionArn: `arn:aws:lambda:${REGION}:123456789012:function:orders-test-${functionName}`,
    logGroupName: `/aws/lambda/orders-test-${functionName}`,
    logStreamName: "2026/11/23/[$LATEST]0123456789abcdef0123456789abcdef",
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
