import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { readServerlessYml } from "./serverless-yml.ts";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

export interface Bundle extends AsyncDisposable {
  /** The module's path, for a dynamic import. */
  readonly path: string;
}

/** Builds one function as `serverless package` does, in a temporary folder. */
export async function bundle(source: string): Promise<Bundle> {
  const { outputFileExtension, ...options } = (await readServerlessYml()).custom.esbuild;
  const folder = await mkdtemp(join(tmpdir(), "orders-bundle-"));
  const path = join(folder, `function${outputFileExtension}`);
  await build({ ...options, absWorkingDir: PROJECT, entryPoints: [source], outfile: path, logLevel: "error" });
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
