import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { TestProject } from "vitest/node";
import { startRedis } from "./redis.ts";

/** Starts a Redis for each worker, from $REDIS_SERVER or the first redis-server or valkey-server in PATH. */
export default async function setup({ config, provide }: TestProject): Promise<() => Promise<void>> {
  const binary = process.env.REDIS_SERVER ?? (await findInPath("redis-server", "valkey-server"));
  const servers = await Promise.all(Array.from({ length: config.maxWorkers }, () => startRedis(binary)));
  provide("redisServer", binary);
  provide(
    "redisUrls",
    servers.map(({ url }) => url),
  );
  return async () => void (await Promise.all(servers.map((server) => server.kill())));
}

async function findInPath(...names: readonly string[]): Promise<string> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of names) {
      const path = join(folder, name);
      if (
        await access(path, constants.X_OK).then(
          () => true,
          () => false,
        )
      )
        return path;
    }
  }
  throw new Error("The tests need a Redis: install redis-server or valkey-server, or set REDIS_SERVER to its path");
}
