import { setTimeout as wait } from "node:timers/promises";
import { createClient } from "redis";
import { type RedisServer, startRedis } from "../../local/redis/redis-server.ts";
import { temporaryFolder } from "../lambda/temporary-folder.ts";

const STARTS_TRIED = 20;
const CONNECTS_TRIED = 500;

export type DirectClient = ReturnType<typeof connect>;

/** The real Redis of a run: it can be killed and comes back with what it had. */
export interface ChaosDatabase {
  readonly url: string;
  /** Work past every fault, straight on Redis, which is not killed meanwhile. */
  direct<Result>(work: (client: DirectClient) => Promise<Result>): Promise<Result>;
  /** Runs `work` while no other direct work is under way, nor begins: what it does to Redis is meant for the service. */
  alone(work: (client: DirectClient) => Promise<void>): Promise<void>;
  /** SIGKILL, and a new start from the append-only file; resolves when it serves again. */
  killAndRestart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Each write is on the disk before it is acknowledged (`appendfsync always`): with any other setting Redis itself does not
 * promise that an acknowledged write outlives a crash, and no service on it could.
 */
export async function startDatabase(): Promise<ChaosDatabase> {
  const folder = await temporaryFolder("orders-chaos-redis-");
  const dataDir = folder.path;
  let server: RedisServer = await startRedis({ dataDir });
  const { url, port } = server;
  const client = connect(url);
  let outage: Promise<void> | undefined;
  let directWork = 0;
  let idle = Promise.withResolvers<void>();

  await client.connect();
  await client.configSet("appendfsync", "always");

  async function direct<Result>(work: (client: DirectClient) => Promise<Result>): Promise<Result> {
    while (outage) await outage;
    directWork += 1;
    try {
      return await work(client);
    } finally {
      directWork -= 1;
      if (directWork === 0) idle.resolve();
    }
  }

  async function untilIdle(): Promise<void> {
    while (directWork > 0) {
      idle = Promise.withResolvers<void>();
      await idle.promise;
    }
  }

  /** One outage at a time. */
  async function during(work: () => Promise<void>): Promise<void> {
    while (outage) await outage;
    outage = untilIdle().then(work);
    await outage.finally(() => {
      outage = undefined;
    });
  }

  async function restart(): Promise<void> {
    process.kill(server.pid, "SIGKILL");
    await server.exited;
    await server.stop();
    server = await startAgain();
    await syncEveryWrite();
  }

  /** Tries until the client has found the new server. */
  async function syncEveryWrite(): Promise<void> {
    for (let tried = 1; ; tried += 1) {
      try {
        await client.configSet("appendfsync", "always");
        return;
      } catch (error) {
        if (tried === CONNECTS_TRIED) throw error;
        await wait(20);
      }
    }
  }

  /** Another program may have been given the port meanwhile, for one connection of its own. */
  async function startAgain(): Promise<RedisServer> {
    for (let tried = 1; ; tried += 1) {
      try {
        return await startRedis({ port, dataDir });
      } catch (error) {
        if (tried === STARTS_TRIED) throw error;
        await wait(100);
      }
    }
  }

  return {
    url,
    direct,
    alone: (work) => during(() => work(client)),
    killAndRestart: () => during(restart),
    async stop() {
      client.destroy();
      await server.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function connect(url: string) {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    // No time-out: of 25,000 requests at once, each on the disk before the next, the last waits longer than its default.
    commandOptions: { timeout: 0 },
    socket: { reconnectStrategy: 20 },
  });
  // Without a listener node-redis throws a lost connection at the process.
  client.on("error", () => undefined);
  return client;
}
