import { describe, expect, test } from "vitest";
import { z } from "zod";
import { SECRETS } from "../support/package.ts";
import { resourcesOf } from "../support/template.ts";
import type { Rules } from "./form.ts";

const LambdaFunction = z.object({ Environment: z.object({ Variables: z.record(z.string(), z.unknown()) }) });

/** The functions that talk to Redis, and the key of the secret that has their token. */
const TOKENS = [
  ["CreateOrder", "token"],
  ["GetOrder", "read_only_token"],
  ["CompleteOrder", "token"],
  ["DrainRefunds", "token"],
  ["SweepOrders", "token"],
] as const;
const WITHOUT_REDIS = ["Docs", "UnknownRoute"];

export const secrets: Rules = (made, { stage }) => {
  const reference = (key: string) => `{{resolve:secretsmanager:orders/${stage}/redis:SecretString:${key}}}`;

  describe("secrets", () => {
    test("no artefact holds a secret of the environment it was packaged in", () => {
      const { files } = made();
      const holding = [...files].filter(([, text]) => Object.values(SECRETS).some((secret) => text.includes(secret)));
      expect(holding.map(([name]) => name)).toEqual([]);
      expect([...files.keys()]).toEqual(expect.arrayContaining(["serverless-state.json"]));
    });

    test("it is told below which token each function gets", () => {
      const functions = [...resourcesOf(made().template, "AWS::Lambda::Function", LambdaFunction).keys()];
      expect(functions.toSorted()).toEqual(
        [...TOKENS.map(([name]) => name), ...WITHOUT_REDIS].map((name) => `${name}LambdaFunction`).toSorted(),
      );
    });

    test.for(TOKENS)("%s gets the Redis URL and its %s from Secrets Manager", ([name, token]) => {
      const functions = resourcesOf(made().template, "AWS::Lambda::Function", LambdaFunction);
      expect(functions.get(`${name}LambdaFunction`)?.Environment.Variables).toMatchObject({
        UPSTASH_REDIS_REST_URL: reference("url"),
        UPSTASH_REDIS_REST_TOKEN: reference(token),
      });
    });

    test.for(WITHOUT_REDIS)("%s has no way to Redis", (name) => {
      const functions = resourcesOf(made().template, "AWS::Lambda::Function", LambdaFunction);
      const names = Object.keys(functions.get(`${name}LambdaFunction`)?.Environment.Variables ?? {});
      expect(names).toEqual(["POWERTOOLS_SERVICE_NAME", "PROBLEM_TYPES_URL"]);
    });
  });
};
