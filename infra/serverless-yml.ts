import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";

const Event = z.union([z.object({ httpApi: z.string() }), z.object({ schedule: z.string() })]);

const Limits = z.object({ timeout: z.int().positive(), memorySize: z.int().positive() });

/** The part of `serverless.yml` that is needed outside the framework. */
const ServerlessYml = z.object({
  provider: Limits,
  custom: z.object({
    esbuild: z.object({
      bundle: z.boolean(),
      minify: z.boolean(),
      treeShaking: z.boolean(),
      sourcemap: z.literal("external"),
      sourcesContent: z.boolean(),
      legalComments: z.enum(["none"]),
      platform: z.enum(["node"]),
      target: z.string(),
      format: z.enum(["esm"]),
      mainFields: z.array(z.string()),
      outputFileExtension: z.string(),
      plugins: z.string(),
    }),
  }),
  functions: z.record(
    z.string(),
    z.object({ handler: z.string(), events: z.array(Event).default([]), ...Limits.partial().shape }),
  ),
});

const text = readFileSync(new URL("../serverless.yml", import.meta.url), "utf8");

// CloudFormation's tags (`!Ref`, `!GetAtt`), which the parser does not know, become plain values.
const { provider, custom, functions } = ServerlessYml.parse(parse(text, { logLevel: "error" }));

/** By name. */
export const declaredFunctions = functions;

/** The options of serverless-esbuild. */
export const esbuildOptions = custom.esbuild;

/** The names of the functions. */
export const FUNCTIONS = Object.keys(functions);

/** The functions that EventBridge invokes on a schedule. */
export const POLLERS = FUNCTIONS.filter((name) => functions[name]?.events.some((event) => "schedule" in event));

/** The time-out of a function in ms. */
export const timeoutMs = (name: string): number => (functions[name]?.timeout ?? provider.timeout) * 1_000;

/** The memory of a function in MB. */
export const memoryMb = (name: string): number => functions[name]?.memorySize ?? provider.memorySize;
