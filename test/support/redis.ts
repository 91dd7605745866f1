import { createClient } from "redis";
import { afterAll, beforeAll, beforeEach, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../../local/redis/redis-server.ts";

export type TestRedisClient = ReturnType<typeof connection>;

export interface TestRedis {
  readonly url: string;
  readonly client: TestRedisClient;
  readonly server: RedisServer;
}

/**
 * Gives the calling test file a real Redis of its own, empty before every test: no keys and no cached scripts.
 *
 * The properties can be read inside hooks and tests only, once the server runs. A test that kills its server starts one
 * of its own with `startRedis`.
 */
export function useRedis(): TestRedis {
  let server: RedisServer | undefined;
  let client: TestRedisClient | undefined;

  beforeAll(async () => {
    server = await startRedis();
    client = connection(server.url);
    // node-redis throws a lost connection at the process unless someone listens; the next command rejects with it.
    client.on("error", () => undefined);
    await client.connect();
  });

  beforeEach(async () => {
    await started(client).flushAll();
    await started(client).scriptFlush();
  });

  afterAll(async () => {
    client?.destroy();
    await server?.stop();
  });

  return {
    get url() {
      return started(server).url;
    },
    get client() {
      return started(client);
    },
    get server() {
      return started(server);
    },
  };
}

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

function started<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("Redis runs inside hooks and tests only: read it there");
  return value;
}
