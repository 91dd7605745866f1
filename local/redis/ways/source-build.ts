import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { findExecutables, output } from "../executable.ts";
import type { Machine, Say } from "../machine.ts";

/** The last line of Redis under the BSD licence, with its security fixes. It needs no more than make and C. */
const VERSION = "7.2.12";
const BUILD_MS = 20 * 60_000;
const BUILD_SCRIPT = fileURLToPath(new URL("source-build-process.ts", import.meta.url));

/**
 * Has redis-memory-server download and build Redis into the builds folder.
 *
 * In a process of its own: the package reads its settings from the environment, prints to the console, and keeps its
 * lock until its process ends when a download fails.
 */
export async function sourceBuild(machine: Machine, say: Say): Promise<string> {
  for (const tool of ["make", "cc"]) {
    if ((await findExecutables(tool, machine.path)).length === 0)
      throw new Error(`source build: ${tool} is not on PATH`);
  }
  say(`No Redis found: downloading and building Redis ${VERSION}, which takes some minutes …`);
  await mkdir(machine.buildsFolder, { recursive: true });
  const stdout = await output("source build", process.execPath, [BUILD_SCRIPT, VERSION, machine.buildsFolder], {
    env: {
      ...process.env,
      PATH: machine.path,
      MAKEFLAGS: process.env.MAKEFLAGS ?? `-j${availableParallelism()}`,
      // Without it the package accepts any TLS certificate for the source that it compiles and runs.
      npm_config_strict_ssl: process.env.npm_config_strict_ssl ?? "true",
    },
    timeout: BUILD_MS,
  });
  const binary = stdout.trim().split("\n").at(-1);
  if (!binary) throw new Error("source build: redis-memory-server named no binary");
  return binary;
}
