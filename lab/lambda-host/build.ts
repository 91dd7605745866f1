import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { parse } from "yaml";
import { z } from "zod";
import { temporaryFolder } from "./temporary-folder.ts";

export interface Bundle extends Disposable {
  /** The module's path, for a dynamic import. */
  readonly path: string;
}

/** Builds one function as `serverless package` does, in a temporary folder. */
export async function bundle(source: string): Promise<Bundle> {
  const { options, extension } = await buildOptions();
  const folder = await temporaryFolder("orders-bundle-");
  const path = join(folder.path, `function${extension}`);
  await build({ ...options, entryPoints: [source], outfile: path, logLevel: "error" });
  return { path, [Symbol.dispose]: folder[Symbol.dispose] };
}

const PROJECT = join(import.meta.dirname, "../..");

const PluginModule = z.object({
  default: z.array(z.custom<Plugin>((value) => z.object({ name: z.string() }).safeParse(value).success)),
});

/** esbuild's options as serverless-esbuild reads them, and the extension that it gives the bundles. */
export async function buildOptions(): Promise<{ options: BuildOptions; extension: string }> {
  const { outputFileExtension, plugins, ...options } = (await readServerlessYml()).custom.esbuild;
  const module = PluginModule.parse(await import(join(PROJECT, plugins)));
  return { options: { ...options, plugins: module.default, absWorkingDir: PROJECT }, extension: outputFileExtension };
}

const Event = z.union([z.object({ httpApi: z.string() }), z.object({ schedule: z.string() })]);

const Limits = z.object({ timeout: z.int().positive(), memorySize: z.int().positive() });

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
export type ServerlessYml = z.infer<typeof ServerlessYml>;

/** What tests hold against `serverless.yml`; CloudFormation's tags (`!Ref`, `!GetAtt`) are read as plain values. */
export async function readServerlessYml(): Promise<ServerlessYml> {
  const text = await readFile(new URL("../../serverless.yml", import.meta.url), "utf8");
  return ServerlessYml.parse(parse(text, { logLevel: "error" }));
}

/** The time-out of each function in ms. */
export async function readTimeouts(): Promise<(functionName: string) => number> {
  const { provider, functions } = await readServerlessYml();
  return (name) => (functions[name]?.timeout ?? provider.timeout) * 1_000;
}

/** The memory of each function in MB. */
export async function readMemorySizes(): Promise<(functionName: string) => number> {
  const { provider, functions } = await readServerlessYml();
  return (name) => functions[name]?.memorySize ?? provider.memorySize;
}
