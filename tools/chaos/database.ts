import { setTimeout as wait } from "node:timers/promises";
import { createClient, RESP_TYPES } from "redis";
import { z } from "zod";
import {
  COMPLETED_STREAM,
  DEAD_REFUND_STREAM,
  PENDING_KEY,
  REFUND_GROUP,
  REFUND_STREAM,
} from "../../lib/redis/keys.ts";
import { type RedisServer, startRedis } from "../../local/redis/redis-server.ts";
import { temporaryFolder } from "../lambda-host/temporary-folder.ts";

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

/** Older than any request that a living poller holds, in ms. */
const AGED_MS = 120_000;
const MOST = 10_000;

const Text = z.instanceof(Buffer);
export const Entries = z.array(
  z.tuple([Text.transform(String), z.array(Text)]).transform(([id, fields]) => ({ id, fields })),
);

/** A client whose replies keep their bytes. */
function raw(client: DirectClient) {
  return client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.MAP]: Array });
}

/** Commands that no other client's command comes between; their replies keep their bytes. */
export async function transact(client: DirectClient, commands: readonly string[][]): Promise<unknown[]> {
  // Queued in one tick on one connection. node-redis's own multi() would decode what is binary.
  const replies = await Promise.all(
    [["MULTI"], ...commands, ["EXEC"]].map((command) => raw(client).sendCommand(command)),
  );
  return z.array(z.unknown()).parse(replies.at(-1));
}

/**
 * Makes requests that were handed out `heldMs` ago look as if that was two minutes ago: XAUTOCLAIM goes by Redis's clock,
 * which nobody can set.
 * @returns how many
 */
export async function ageRequests(database: ChaosDatabase, heldMs: number): Promise<number> {
  return database.direct(async (client) => {
    const pending = await client
      .xPendingRange(REFUND_STREAM, REFUND_GROUP, "-", "+", MOST, { IDLE: heldMs })
      .catch(withoutGroup);
    await Promise.all(pending.map(({ id, consumer }) => age(client, consumer, id)));
    return pending.length;
  });
}

async function age(client: DirectClient, consumer: string, id: string): Promise<unknown> {
  const command = ["XCLAIM", REFUND_STREAM, REFUND_GROUP, consumer, "0", id, "IDLE", String(AGED_MS), "JUSTID"];
  return client.sendCommand(command).catch(withoutGroup);
}

/** Nobody holds anything in a group that is not there, or whose stream is not. */
export function withoutGroup(error: unknown): [] {
  if (/NOGROUP|no such key|requires the key to exist/.test(String(error))) return [];
  throw error;
}

const ORDER_KEYS = "order:*";
const SCAN_COUNT = 1_000;
/** Dead letters may be 1 MB each. */
const PAGE = 50;
const NUMBER_OF_ALL = 1_000_000;

export type Hash = Readonly<Record<string, string>>;

export interface Announcement {
  /** When Redis took it in, in ms since the epoch. */
  readonly atMs: number;
  readonly fields: Hash;
}

/** Everything that Redis holds at the end of a run. */
export interface Facts {
  /** By pk, as the key says. */
  readonly orders: ReadonlyMap<string, Hash>;
  readonly announcements: readonly Announcement[];
  /** The fields of each dead letter, names and values in turn. */
  readonly deadLetters: readonly (readonly Buffer[])[];
  /** The members of `orders:pending`. */
  readonly pendingPks: readonly string[];
  /** What is left on `refund_order`. */
  readonly requestsLeft: number;
  /** What is left pending in its group. */
  readonly pendingEntriesLeft: number;
}

export async function readFacts(client: DirectClient): Promise<Facts> {
  const orders = new Map<string, Hash>();
  for await (const keys of client.scanIterator({ MATCH: ORDER_KEYS, COUNT: SCAN_COUNT })) {
    const hashes = await Promise.all(keys.map((key) => client.hGetAll(key)));
    for (const [index, key] of keys.entries()) orders.set(key.slice("order:".length), { ...hashes[index] });
  }
  const announced = await readStream(client, COMPLETED_STREAM);
  return {
    orders,
    announcements: announced.map(({ id, fields }) => ({ atMs: Number(id.split("-")[0]), fields: hashOf(fields) })),
    deadLetters: (await readStream(client, DEAD_REFUND_STREAM)).map(({ fields }) => fields),
    pendingPks: await client.zRange(PENDING_KEY, 0, -1),
    requestsLeft: await client.xLen(REFUND_STREAM),
    pendingEntriesLeft: (
      await client.xPendingRange(REFUND_STREAM, REFUND_GROUP, "-", "+", NUMBER_OF_ALL).catch(withoutGroup)
    ).length,
  };
}

async function readStream(client: DirectClient, stream: string): Promise<z.infer<typeof Entries>> {
  const all: z.infer<typeof Entries> = [];
  for (let from = "-"; ; ) {
    const page = Entries.parse(await raw(client).sendCommand(["XRANGE", stream, from, "+", "COUNT", String(PAGE)]));
    all.push(...page);
    const last = page.at(-1);
    if (!last) return all;
    from = `(${last.id}`;
  }
}

function hashOf(fields: readonly Buffer[]): Hash {
  return Object.fromEntries(
    fields.flatMap((name, index) => (index % 2 === 0 ? [[String(name), String(fields[index + 1])]] : [])),
  );
}
