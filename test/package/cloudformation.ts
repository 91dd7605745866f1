import { describe, expect, test } from "vitest";
import { z } from "zod";
import { isStateful, problemsOf } from "../support/cloudformation-types.ts";
import { cycleIn, found, referencesOf } from "../support/references.ts";
import type { Rules } from "./form.ts";

/** CloudFormation's own (User Guide, "Quotas"). */
const MAX_RESOURCES = 500;
const MAX_TEMPLATE_BYTES = 1_000_000;

/**
 * What the stack may lose, by type. The framework empties the bucket of deployments before it removes the stack; a log
 * group's name is fixed, so that one that was retained would be in the way of the next stack.
 */
const LOSABLE = ["AWS::S3::Bucket", "AWS::Logs::LogGroup"];

const State = z.object({ service: z.object({ provider: z.object({ deletionProtection: z.boolean() }) }) });

export const cloudFormation: Rules = (made, { stage }) => {
  describe("CloudFormation", () => {
    test("knows every type and property of the template, and the kinds of their values", () => {
      expect(Object.entries(made().template.Resources).flatMap(([id, each]) => problemsOf(id, each))).toEqual([]);
    });

    test("finds all that the template refers to, and can make it in some order", () => {
      const { template } = made();
      const ids = Object.keys(template.Resources);
      const referred = [...ids.flatMap((id) => referencesOf(template, id)), ...found(template.Outputs)];
      expect(referred.filter((id) => !(id in template.Resources))).toEqual([]);
      expect(cycleIn(template)).toBeUndefined();
    });

    test("takes a template of this size", () => {
      expect(Object.keys(made().template.Resources).length).toBeLessThan(MAX_RESOURCES);
      const text = made().files.get("cloudformation-template-update-stack.json") ?? "";
      expect(Buffer.byteLength(text)).toBeLessThan(MAX_TEMPLATE_BYTES);
    });

    test("refuses to remove prod", () => {
      const state: unknown = JSON.parse(made().files.get("serverless-state.json") ?? "");
      expect(State.parse(state).service.provider.deletionProtection).toBe(stage === "prod");
    });

    test("retains in prod whatever holds state and may not be lost", () => {
      const stateful = Object.entries(made().template.Resources).filter(
        ([, { Type }]) => isStateful(Type) && !LOSABLE.includes(Type),
      );
      expect(stateful.length).toBeGreaterThan(0);
      for (const [id, { DeletionPolicy }] of stateful) {
        expect([id, DeletionPolicy]).toEqual([id, stage === "prod" ? "Retain" : "Delete"]);
      }
    });
  });
};
