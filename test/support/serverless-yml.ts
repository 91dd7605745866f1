import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { z } from "zod";

const Event = z.union([z.object({ httpApi: z.string() }), z.object({ schedule: z.string() })]);

const ServerlessYml = z.object({
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
  functions: z.record(z.string(), z.object({ handler: z.string(), events: z.array(Event).default([]) })),
});
export type ServerlessYml = z.infer<typeof ServerlessYml>;

/** What tests hold against `serverless.yml`; CloudFormation's tags (`!Ref`, `!GetAtt`) are read as plain values. */
export async function readServerlessYml(): Promise<ServerlessYml> {
  const text = await readFile(new URL("../../serverless.yml", import.meta.url), "utf8");
  return ServerlessYml.parse(parse(text, { logLevel: "error" }));
}
