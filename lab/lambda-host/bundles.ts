import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { declaredFunctions } from "../../infra/serverless-yml.ts";
import { buildOptions } from "./build.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Built too: an instance that strips types and loads its modules one by one would take twice as long to start. */
const RUNTIME: BuildOptions = {
  entryPoints: [join(import.meta.dirname, "runtime.ts")],
  ...{ bundle: true, minify: true, platform: "node", format: "esm" },
};

export type Bundles = Awaited<ReturnType<typeof buildBundles>>;

/**
 * Builds every function of serverless.yml with the options written there, as `serverless package` does, in a temporary
 * folder.
 * @param plugins of esbuild besides, for a run on code that is broken on purpose
 * @param others functions besides, by name: their source files, from the project's folder
 */
export async function buildBundles(plugins: Plugin[] = [], others: Readonly<Record<string, string>> = {}) {
  const { options, extension } = await buildOptions();
  const own = Object.entries(declaredFunctions).map(([name, { handler }]) => [
    name,
    handler.replace(/\.handler$/, ".ts"),
  ]);
  const sources: Record<string, string> = { ...Object.fromEntries(own), ...others };
  const folder = await temporaryFolder("orders-bundles-");
  const runtime = join(folder.path, "runtime.mjs");
  const outputs = await Promise.all([
    outputsOf({ ...RUNTIME, outfile: runtime }),
    outputsOf({
      ...options,
      entryPoints: sources,
      outdir: folder.path,
      outExtension: { ".js": extension },
      plugins: [...(options.plugins ?? []), ...plugins],
    }),
  ]);
  // Not by esbuild, whose process may outlive this one for a moment, and would write into a folder that is gone.
  await Promise.all(outputs.flat().map(({ path, contents }) => writeFile(path, contents)));
  const paths = Object.keys(sources).map((name) => [name, join(folder.path, `${name}${extension}`)]);
  return {
    /** The path of each function's bundle, by the function's name. */
    paths: Object.fromEntries(paths) as Readonly<Record<string, string>>,
    /** The path of `runtime.ts`, built: what runs a function in an instance. */
    runtime,
    [Symbol.dispose]: folder[Symbol.dispose],
  };
}

async function outputsOf(options: BuildOptions) {
  return (await build({ ...options, logLevel: "error", write: false })).outputFiles ?? [];
}
