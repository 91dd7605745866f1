import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** serverless-esbuild's options, as far as they depend on the command that runs. */
export interface BuildOptions {
  readonly outputWorkFolder: string;
  readonly outputFileExtension?: ".js";
}

/** The commands that zip bundles. */
const PACKAGES = /^(package|deploy)/;

/**
 * Gives each process a build folder of its own, gone when the process is. In a shared one, `npm run package` would delete
 * the bundles from under a running `npm start`, and a .js that is left over would win over the newer .mjs beside it.
 * Packaging gets its folder for temporary files in there too: serverless-esbuild leaves one a function behind.
 * @param command such as "offline start"; `invoke local` finds bundles by the extension .js only
 */
export function ownBuildFolder(projectDir: string, command: string): BuildOptions {
  const outputWorkFolder = join(".esbuild", String(process.pid));
  const workFolder = join(projectDir, outputWorkFolder);
  process.on("exit", () => rmSync(workFolder, { recursive: true, force: true }));
  if (PACKAGES.test(command)) process.env.TMPDIR = temporaryFolder(workFolder);
  return { outputWorkFolder, ...(command === "invoke local" && { outputFileExtension: ".js" }) };
}

function temporaryFolder(workFolder: string): string {
  const folder = join(workFolder, "tmp");
  mkdirSync(folder, { recursive: true });
  return folder;
}
