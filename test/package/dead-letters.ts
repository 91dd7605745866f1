import { describe, expect, test } from "vitest";
import { z } from "zod";
import { arnOf, ref, resource, resourcesOf } from "../support/template.ts";
import type { Rules } from "./form.ts";

const QUEUES = ["UndeliveredCompletions", "FailedInvocations"];
const DAYS_14 = 14 * 24 * 60 * 60;

const Queue = z.strictObject({ MessageRetentionPeriod: z.int(), SqsManagedSseEnabled: z.boolean() });
const QueuePolicy = z.object({ Queues: z.array(z.unknown()), PolicyDocument: z.unknown() });
const EventInvokeConfig = z.object({
  MaximumRetryAttempts: z.int(),
  MaximumEventAgeInSeconds: z.int(),
  DestinationConfig: z.unknown(),
});

/** Retries, and the age in seconds at which Lambda gives an event up. */
const ATTEMPTS: Record<string, readonly [retries: number, age: number]> = {
  CompleteOrder: [2, 300],
  DrainRefunds: [1, 120],
  SweepOrders: [1, 120],
};

export const deadLetters: Rules = (made, { stage }) => {
  describe("the dead-letter queues", () => {
    test("are two, encrypted, and keep messages for 14 days", () => {
      const queues = resourcesOf(made().template, "AWS::SQS::Queue", Queue);
      expect([...queues.keys()].toSorted()).toEqual(QUEUES.toSorted());
      for (const queue of queues.values()) {
        expect(queue).toEqual({ MessageRetentionPeriod: DAYS_14, SqsManagedSseEnabled: true });
      }
    });

    test.for(QUEUES)("%s is retained in prod only", (id) => {
      const policy = stage === "prod" ? "Retain" : "Delete";
      expect(made().template.Resources[id]).toMatchObject({ DeletionPolicy: policy, UpdateReplacePolicy: policy });
    });

    test.for(QUEUES)("%s refuses what is not encrypted on the way", (id) => {
      expect(resource(made().template, `${id}Policy`, QueuePolicy)).toMatchObject({
        Queues: [ref(id)],
        PolicyDocument: {
          Statement: [
            {
              Effect: "Deny",
              Principal: "*",
              Action: "sqs:*",
              Resource: arnOf(id),
              Condition: { Bool: { "aws:SecureTransport": "false" } },
            },
          ],
        },
      });
    });

    test("keep what failed of every asynchronous function, after its retries", () => {
      const configs = resourcesOf(made().template, "AWS::Lambda::EventInvokeConfig", EventInvokeConfig);
      const attempts = [...configs].map(([id, config]) => {
        expect(config.DestinationConfig).toEqual({ OnFailure: { Destination: arnOf("FailedInvocations") } });
        return [id.replace("LambdaEvConf", ""), [config.MaximumRetryAttempts, config.MaximumEventAgeInSeconds]];
      });
      expect(Object.fromEntries(attempts)).toEqual(ATTEMPTS);
    });
  });
};
