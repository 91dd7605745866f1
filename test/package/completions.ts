import { describe, expect, test } from "vitest";
import { z } from "zod";
import { arnOf, ref, resource } from "../support/template.ts";
import type { Rules } from "./form.ts";

const LambdaFunction = z.object({ Environment: z.object({ Variables: z.record(z.string(), z.unknown()) }) });

export const completions: Rules = (made, { stage }) => {
  describe("the schedules of completions", () => {
    test("are in a group of the stage, which goes with the stack", () => {
      const group = made().template.Resources.CompletionSchedules;
      expect(group).toMatchObject({
        Type: "AWS::Scheduler::ScheduleGroup",
        DeletionPolicy: "Delete",
        UpdateReplacePolicy: "Delete",
        Properties: { Name: `orders-${stage}-completions` },
      });
    });

    test("are made by createOrder in that group, for completeOrder, with its role and its dead-letter queue", () => {
      const { Variables } = resource(made().template, "CreateOrderLambdaFunction", LambdaFunction).Environment;
      expect(Variables).toMatchObject({
        SCHEDULE_GROUP: ref("CompletionSchedules"),
        SCHEDULE_TARGET_ARN: arnOf("CompleteOrderLambdaFunction"),
        SCHEDULE_ROLE_ARN: arnOf("CompletionSchedulerRole"),
        SCHEDULE_DEAD_LETTER_ARN: arnOf("UndeliveredCompletions"),
      });
    });
  });
};
