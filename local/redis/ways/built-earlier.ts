import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Machine, Say } from "../machine.ts";
import { firstUsable } from "../version.ts";

/** A server that redis-memory-server built before, here or in its own postinstall script. */
export async function builtEarlier(machine: Machine, say: Say): Promise<string | undefined> {
  const builds = await namesIn(machine.buildsFolder);
  return firstUsable(
    builds.map((version) => join(machine.buildsFolder, version, "redis-server")),
    say,
  );
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw new Error(`the builds in ${folder} cannot be listed`, { cause: error });
  }
}
