import { join } from "node:path";
import type { BuildOptions, Plugin } from "esbuild";
import { z } from "zod";
import { readServerlessYml } from "./serverless-yml.ts";

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
