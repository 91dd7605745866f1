import type { TestProject } from "vitest/node";
import { findRedis } from "../../local/redis/find-redis.ts";
import { startRedis } from "../../local/redis/redis-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** One Redis for each worker. */
    redisUrls: readonly string[];
    /** The path of redis-server or valkey-server. */
    redisServer: string;
  }
}

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
