import { join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { z } from "zod";
import { esbuildOptions } from "../../infra/serverless-yml.ts";
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
  const { outputFileExtension, plugins, ...options } = esbuildOptions;
  const module = PluginModule.parse(await import(join(PROJECT, plugins)));
  return { options: { ...options, plugins: module.default, absWorkingDir: PROJECT }, extension: outputFileExtension };
}
