import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { z } from "zod";

const INFRA = new URL("../../infra/", import.meta.url);

const Values = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const Parameters = z.object({ default: Values, prod: Values });

const Exported = z.custom<(framework: { resolveVariable: (name: string) => Promise<unknown> }) => Promise<unknown>>(
  (value) => typeof value === "function",
);

/** What a function of `infra/` makes of the parameters of a stage, as the framework calls it. */
export async function callInfra(
  file: string,
  name: string,
  given: Readonly<Record<string, string>>,
  stage: "dev" | "prod" = "dev",
): Promise<unknown> {
  const parameters = Parameters.parse(parse(await readFile(new URL("parameters.yml", INFRA), "utf8")));
  const values = { ...parameters.default, ...(stage === "prod" && parameters.prod), ...given };
  const variables = new Map<string, unknown>([
    ["self:service", "orders"],
    ["sls:stage", stage],
    ...Object.entries(values).map(([key, value]) => [`param:${key}`, value] as const),
  ]);
  const exported = z.record(z.string(), z.unknown()).parse(await import(new URL(file, INFRA).href));
  return Exported.parse(exported[name])({
    resolveVariable: async (variable) => {
      if (!variables.has(variable)) throw new Error(`There is no variable ${variable}`);
      return variables.get(variable);
    },
  });
}
