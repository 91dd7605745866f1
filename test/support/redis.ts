import { createClient } from "redis";
import { afterAll, beforeAll, beforeEach, inject, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../../local/redis/redis-server.ts";

export type TestRedisClient = ReturnType<typeof connection>;

export interface TestRedis {
  readonly url: string;
  readonly client: TestRedisClient;
}

/**
 * Gives the calling test file the Redis of its worker, empty before every test: no keys and no cached scripts. A test that
 * stops or configures a Redis starts one of its own with `startRedis`.
 *
 * Address and client can be read inside hooks and tests only.
 */
export function useRedis(): TestRedis {
  return connectedTo(async () => {
    const url = inject("redisUrls")[Number(process.env.VITEST_POOL_ID) - 1];
    if (url === undefined) throw new Error(`Worker ${process.env.VITEST_POOL_ID} has no Redis`);
    return { url, stop: async () => {} };
  });
}

/** As `useRedis`, with a Redis of its own: for tests of its memory, which other test files fill too. */
export const useOwnRedis = (): TestRedis => connectedTo(() => startRedis());

/**
 * Has Redis refuse a command to everybody, as Upstash refuses writes to a full record, until the test ends.
 * @returns allows it again
 */
export async function forbid(client: TestRedisClient, command: string): Promise<() => Promise<void>> {
  async function allow(): Promise<void> {
    await client.sendCommand(["ACL", "SETUSER", "default", `+${command}`]);
  }
  await client.sendCommand(["ACL", "SETUSER", "default", `-${command}`]);
  onTestFinished(allow);
  return allow;
}

function connection(url: string) {
  return createClient({ url, disableOfflineQueue: true });
}

function connectedTo(start: () => Promise<Pick<RedisServer, "url" | "stop">>): TestRedis {
  let server: Awaited<ReturnType<typeof start>> | undefined;
  let client: TestRedisClient | undefined;

  beforeAll(async () => {
    server = await start();
    client = connection(server.url);
    // node-redis throws a lost connection at the process unless someone listens. The next command rejects with it.
    client.on("error", () => undefined);
    await client.connect();
  });
  beforeEach(async () => {
    await client?.flushAll();
    await client?.scriptFlush();
  });
  afterAll(async () => {
    client?.destroy();
    await server?.stop();
  });

  const started = <Part>(part: Part | undefined): Part => {
    if (part === undefined) throw new Error("Redis runs inside hooks and tests only: read it there");
    return part;
  };
  return {
    get url() {
      return started(server).url;
    },
    get client() {
      return started(client);
    },
  };
}
