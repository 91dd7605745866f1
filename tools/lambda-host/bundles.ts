import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { buildOptions, readServerlessYml } from "../../test/support/bundle.ts";
import { type TemporaryFolder, temporaryFolder } from "./temporary-folder.ts";

const RUNTIME: BuildOptions = {
  entryPoints: [fileURLToPath(new URL("runtime.ts", import.meta.url))],
  bundle: true,
  minify: true,
  platform: "node",
  format: "esm",
  logLevel: "error",
};

/** What runs a function in an instance, in a temporary folder. */
export interface Runtime extends AsyncDisposable {
  /** The path of `runtime.ts`, built. */
  readonly runtime: string;
}

export interface Bundles extends Runtime {
  /** The path of each function's bundle, by the function's name. */
  readonly paths: Readonly<Record<string, string>>;
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
  const folder = await temporaryFolder("orders-bundles-");
  const sources = [
    ...Object.entries(functions).map(([name, { handler }]) => ({
      in: handler.replace(/\.handler$/, ".ts"),
      out: name,
    })),
    ...Object.entries(others).map(([name, source]) => ({ in: source, out: name })),
  ];
  try {
    await write({
      ...options,
      entryPoints: sources,
      outdir: folder.path,
      outExtension: { ".js": extension },
      logLevel: "error",
      plugins: [...(options.plugins ?? []), ...plugins],
    });
    const runtime = await writeRuntime(folder);
    const paths = sources.map(({ out }) => [out, join(folder.path, `${out}${extension}`)]);
    return { paths: Object.fromEntries(paths), runtime, [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

/** Builds what runs a function and no function, in a temporary folder. */
export async function buildRuntime(): Promise<Runtime> {
  const folder = await temporaryFolder("orders-runtime-");
  try {
    return { runtime: await writeRuntime(folder), [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

/** Built too: an instance that strips types and loads its modules one by one would take twice as long to start. */
async function writeRuntime(folder: TemporaryFolder): Promise<string> {
  const outfile = join(folder.path, "runtime.mjs");
  await write({ ...RUNTIME, outfile });
  return outfile;
}

/** Not by esbuild, whose process may outlive this one for a moment, and would write into a folder that is gone. */
async function write(options: BuildOptions): Promise<void> {
  const { outputFiles } = await build({ ...options, write: false });
  await Promise.all(outputFiles.map(({ path, contents }) => writeFile(path, contents)));
}
