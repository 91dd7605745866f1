import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createClient } from "@redis/client";
import getPort from "get-port";
import { afterAll, beforeAll, beforeEach, inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** One Redis for each worker. */
    redisUrls: readonly string[];
    /** The path of redis-server or valkey-server. */
    redisServer: string;
  }
}

export type TestRedisClient = ReturnType<typeof connection>;

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Ends it without a chance to say goodbye. A second call waits for the first. */
  kill(): Promise<void>;
}

/**
 * Gives the calling test file the Redis of its worker, empty before each test: no keys and no cached scripts. Address and
 * client can be read inside hooks and tests only.
 */
export function useRedis() {
  return connectedTo(async () => {
    const url = inject("redisUrls")[Number(process.env.VITEST_POOL_ID) - 1];
    if (url === undefined) throw new Error(`Worker ${process.env.VITEST_POOL_ID} has no Redis`);
    return { url, kill: async () => {} };
  });
}

/** As `useRedis`, with a Redis of its own: for tests of its memory, which other test files fill too. */
export const useOwnRedis = () => connectedTo(() => startRedis(inject("redisServer")));

/** Starts a Redis that keeps nothing, on a free port of the loopback interface if none is given. */
export async function startRedis(binary: string, wanted?: number): Promise<RedisServer> {
  const port = wanted ?? (await getPort({ host: "127.0.0.1" }));
  const folder = await mkdtemp(join(tmpdir(), "gateway-redis-"));
  const args = ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder, "--save", "", "--appendonly", "no"];
  // Redis 7.2 and newer do not start with a locale that the machine lacks.
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, LC_ALL: "C" } });
  const closed = once(child, "close");
  const endWithParent = () => void child.kill("SIGKILL");
  process.once("exit", endWithParent);

  async function end(): Promise<void> {
    child.kill("SIGKILL");
    await closed;
    process.off("exit", endWithParent);
    await rm(folder, { recursive: true, force: true });
  }

  let ended: Promise<void> | undefined;
  const kill = () => (ended ??= end());
  for await (const line of createInterface(child.stdout)) {
    if (!/ready to accept connections/i.test(line)) continue;
    child.stdout.resume(); // a full pipe would stall it
    return { url: `redis://127.0.0.1:${port}`, port, kill };
  }
  await kill();
  throw new Error(`${binary} did not start on port ${port}`);
}

function connection(url: string) {
  return createClient({ url, disableOfflineQueue: true });
}

function connectedTo(start: () => Promise<Pick<RedisServer, "url" | "kill">>) {
  let server: Awaited<ReturnType<typeof start>> | undefined;
  let client: TestRedisClient | undefined;

  beforeAll(async () => {
    server = await start();
    client = connection(server.url);
    // A lost connection would end the process. The next command rejects with it.
    client.on("error", () => undefined);
    await client.connect();
  });
  beforeEach(async () => {
    await client?.flushAll();
    await client?.scriptFlush();
  });
  afterAll(async () => {
    client?.destroy();
    await server?.kill();
  });

  function started<Part>(part: Part | undefined): Part {
    if (part === undefined) throw new Error("Redis runs inside hooks and tests only: read it there");
    return part;
  }
  return {
    get url(): string {
      return started(server).url;
    },
    get client(): TestRedisClient {
      return started(client);
    },
  };
}
