import { rmSync } from "node:fs";
import { join } from "node:path";

/** serverless-esbuild's options, as far as they depend on the command that runs. */
export interface BuildOptions {
  readonly outputWorkFolder: string;
  readonly outputFileExtension?: ".js";
}

/**
 * Gives each process a build folder of its own, gone when the process is. In a shared one, `npm run package` would delete
 * the bundles from under a running `npm start`, and a .js that is left over would win over the newer .mjs beside it.
 * @param command such as "offline start"; `invoke local` finds bundles by the extension .js only
 */
export function ownBuildFolder(projectDir: string, command: string): BuildOptions {
  const outputWorkFolder = join(".esbuild", String(process.pid));
  process.on("exit", () => rmSync(join(projectDir, outputWorkFolder), { recursive: true, force: true }));
  return { outputWorkFolder, ...(command === "invoke local" && { outputFileExtension: ".js" }) };
}
