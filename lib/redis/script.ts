import { createHash } from "node:crypto";

/** A Lua script and the hash by which Redis caches it. */
export interface Script {
  readonly lua: string;
  readonly sha1: string;
}

/** Hashes a script once, at cold start. */
export function script(lua: string): Script {
  return { lua, sha1: createHash("sha1").update(lua).digest("hex") };
}
