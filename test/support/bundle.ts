import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { buildOptions } from "./build-options.ts";

export interface Bundle extends AsyncDisposable {
  /** The module's path, for a dynamic import. */
  readonly path: string;
}

/** Builds one function as `serverless package` does, in a temporary folder. */
export async function bundle(source: string): Promise<Bundle> {
  const { options, extension } = await buildOptions();
  const folder = await mkdtemp(join(tmpdir(), "orders-bundle-"));
  const path = join(folder, `function${extension}`);
  await build({ ...options, entryPoints: [source], outfile: path, logLevel: "error" });
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
