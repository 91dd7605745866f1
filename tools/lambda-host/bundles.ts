import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { buildOptions, readServerlessYml } from "../../test/support/bundle.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Built too: an instance that strips types and loads its modules one by one would take twice as long to start. */
const RUNTIME: BuildOptions = {
  entryPoints: [fileURLToPath(new URL("runtime.ts", import.meta.url))],
  bundle: true,
  minify: true,
  platform: "node",
  format: "esm",
  logLevel: "error",
};

export interface Bundles extends AsyncDisposable {
  /** The path of each function's bundle, by the function's name. */
  readonly paths: Readonly<Record<string, string>>;
  /** The path of `runtime.ts`, built: what runs a function in an instance. */
  readonly runtime: string;
}

/**
 * Builds every function of serverless.yml with the options written there, as `serverless package` does, in a temporary
 * folder.
 * @param plugins of esbuild besides, for a run on code that is broken on purpose
 * @param others functions besides, by name: their source files, from the project's folder
 */
export async function buildBundles(
  plugins: Plugin[] = [],
  others: Readonly<Record<string, string>> = {},
): Promise<Bundles> {
  const { functions } = await readServerlessYml();
  const { options, extension } = await buildOptions();
  const own = Object.entries(functions).map(([out, { handler }]) => ({
    in: handler.replace(/\.handler$/, ".ts"),
    out,
  }));
  const sources = [...own, ...Object.entries(others).map(([out, source]) => ({ in: source, out }))];
  const folder = await temporaryFolder("orders-bundles-");
  const runtime = join(folder.path, "runtime.mjs");
  try {
    await write({
      ...options,
      entryPoints: sources,
      outdir: folder.path,
      outExtension: { ".js": extension },
      logLevel: "error",
      plugins: [...(options.plugins ?? []), ...plugins],
    });
    await write({ ...RUNTIME, outfile: runtime });
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
  const paths = Object.fromEntries(sources.map(({ out }) => [out, join(folder.path, `${out}${extension}`)]));
  return { paths, runtime, [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
}

/** Not by esbuild, whose process may outlive this one for a moment, and would write into a folder that is gone. */
async function write(options: BuildOptions): Promise<void> {
  const { outputFiles } = await build({ ...options, write: false });
  await Promise.all(outputFiles.map(({ path, contents }) => writeFile(path, contents)));
}
