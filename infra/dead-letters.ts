import { arnOf } from "./logical-ids.ts";
import type { Parameters } from "./parameters.ts";

/** 14 days, the most that SQS keeps. */
const RETENTION_SECONDS = 1_209_600;

/**
 * Dead-letter queues for manual inspection. In prod they are retained as evidence when the stack is removed. CloudFormation
 * generates their names, so that a retained queue does not block a new stack. All other durable data is in Redis.
 */
export const deadLetterResources = (parameters: Parameters) => ({
  // Completions that Scheduler could not deliver to Lambda. The sweep completes their orders.
  ...queue("UndeliveredCompletions", parameters),
  // Asynchronous invocations that failed in our code, after Lambda's own retries.
  ...queue("FailedInvocations", parameters),
});

/** A queue that refuses plain HTTP. */
const queue = (logicalId: string, { deadLettersPolicy }: Parameters) => ({
  [logicalId]: {
    Type: "AWS::SQS::Queue",
    DeletionPolicy: deadLettersPolicy,
    UpdateReplacePolicy: deadLettersPolicy,
    Properties: { MessageRetentionPeriod: RETENTION_SECONDS, SqsManagedSseEnabled: true },
  },
  [`${logicalId}Policy`]: {
    Type: "AWS::SQS::QueuePolicy",
    Properties: {
      Queues: [{ Ref: logicalId }],
      PolicyDocument: {
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Deny",
            Principal: "*",
            Action: "sqs:*",
            Resource: arnOf(logicalId),
            Condition: { Bool: { "aws:SecureTransport": "false" } },
          },
        ],
      },
    },
  },
});
