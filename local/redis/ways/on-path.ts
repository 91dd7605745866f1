import { findExecutables } from "../executable.ts";
import type { Machine, Say } from "../machine.ts";
import { firstUsable } from "../version.ts";

/** A server that the machine has already. */
export async function onPath(machine: Machine, say: Say): Promise<string | undefined> {
  const servers = ["redis-server", "valkey-server"].map((name) => findExecutables(name, machine.path));
  return firstUsable((await Promise.all(servers)).flat(), say);
}
