import type { TestProject } from "vitest/node";
import { findRedis } from "../../local/redis/find-redis.ts";
import { startRedis } from "../../local/redis/redis-server.ts";

/** Finds Redis once, and starts one for each worker: see `useRedis`. */
export default async function setup({ config, provide }: TestProject): Promise<() => Promise<void>> {
  const binary = await findRedis((line) => process.stderr.write(`${line}\n`));
  const servers = await Promise.all(Array.from({ length: config.maxWorkers }, () => startRedis({ binary })));
  provide("redisServer", binary);
  provide(
    "redisUrls",
    servers.map(({ url }) => url),
  );
  return async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
}
