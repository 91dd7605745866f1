import pRetry from "p-retry";
import { createClient, RESP_TYPES } from "redis";
import { z } from "zod";
import {
  COMPLETED_STREAM,
  DEAD_REFUND_STREAM,
  PENDING_KEY,
  REFUND_GROUP,
  REFUND_STREAM,
} from "../../lib/redis/keys.ts";
import { startRedis } from "../../local/redis/redis-server.ts";
import { temporaryFolder } from "../lambda-host/temporary-folder.ts";

/** For what fails until Redis is back. */
const PATIENTLY = { retries: 100, minTimeout: 50, factor: 1 };

/** Older than any request that a living poller holds, in ms. */
const AGED_MS = 120_000;
const MAX_AGED = 10_000;

const SCAN_COUNT = 1_000;
/** Dead letters may be 1 MB each. */
const PAGE = 50;
const NUMBER_OF_ALL = 1_000_000;

const Text = z.instanceof(Buffer);
export const Entries = z.array(
  z.tuple([Text.transform(String), z.array(Text)]).transform(([id, fields]) => ({ id, fields })),
);

export type DirectClient = ReturnType<typeof connect>;

export type ChaosDatabase = Awaited<ReturnType<typeof startDatabase>>;

export type Hash = Readonly<Record<string, string>>;

/** Everything that Redis holds at the end of a run. */
export type Facts = Awaited<ReturnType<typeof readFacts>>;

/**
 * The real Redis of a run: it can be killed and comes back with what it had.
 *
 * Each write is on the disk before it is acknowledged (`appendfsync always`): with any other setting Redis itself does not
 * promise that an acknowledged write outlives a crash, and no service on it could.
 */
export async function startDatabase() {
  const folder = await temporaryFolder("orders-chaos-redis-");
  const dataDir = folder.path;
  let server = await startRedis({ dataDir });
  const { url, port } = server;
  const client = connect(url);
  const underWay = new Set<Promise<unknown>>();
  let outage: Promise<void> | undefined;

  await client.connect();
  await client.configSet("appendfsync", "always");

  /** Work past every fault, straight on Redis, which is not killed meanwhile. */
  async function direct<Result>(work: (client: DirectClient) => Promise<Result>): Promise<Result> {
    while (outage) await outage;
    const result = work(client);
    underWay.add(result);
    return result.finally(() => underWay.delete(result));
  }

  /** One outage at a time, and no direct work meanwhile. */
  async function during(work: () => Promise<void>): Promise<void> {
    while (outage) await outage;
    outage = Promise.allSettled(underWay).then(work);
    await outage.finally(() => {
      outage = undefined;
    });
  }

  async function restart(): Promise<void> {
    process.kill(server.pid, "SIGKILL");
    await server.exited;
    await server.stop();
    // Another program may have been given the port meanwhile, for one connection of its own.
    server = await pRetry(() => startRedis({ port, dataDir }), PATIENTLY);
    await pRetry(() => client.configSet("appendfsync", "always"), PATIENTLY);
  }

  return {
    url,
    direct,
    /** Runs `work` while no other direct work is under way, nor begins: what it does to Redis is meant for the service. */
    alone: (work: (client: DirectClient) => Promise<void>) => during(() => work(client)),
    /** SIGKILL, and a new start from the append-only file; resolves when it serves again. */
    killAndRestart: () => during(restart),
    async stop() {
      await Promise.allSettled(underWay);
      client.destroy();
      await server.stop();
      folder[Symbol.dispose]();
    },
  };
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
 */
export function ageRequests(database: ChaosDatabase, heldMs: number): Promise<unknown> {
  return database.direct(async (client) => {
    const pending = await client
      .xPendingRange(REFUND_STREAM, REFUND_GROUP, "-", "+", MAX_AGED, { IDLE: heldMs })
      .catch(withoutGroup);
    return Promise.all(
      pending.map(({ id, consumer }) =>
        client
          .sendCommand(["XCLAIM", REFUND_STREAM, REFUND_GROUP, consumer, "0", id, "IDLE", String(AGED_MS), "JUSTID"])
          .catch(withoutGroup),
      ),
    );
  });
}

export async function readFacts(client: DirectClient) {
  const orders = new Map<string, Hash>();
  for await (const keys of client.scanIterator({ MATCH: "order:*", COUNT: SCAN_COUNT })) {
    const hashes = await Promise.all(keys.map((key) => client.hGetAll(key)));
    for (const [index, key] of keys.entries()) orders.set(key.slice("order:".length), { ...hashes[index] });
  }
  const announced = await readStream(client, COMPLETED_STREAM);
  return {
    /** By pk, as the key says. */
    orders,
    /** The entries of `order_completed`. */
    announcements: announced.map(({ fields }) => hashOf(fields)),
    /** The fields of each dead letter, names and values in turn. */
    deadLetters: (await readStream(client, DEAD_REFUND_STREAM)).map(({ fields }) => fields),
    pendingPks: await client.zRange(PENDING_KEY, 0, -1),
    /** On `refund_order`, and pending in its group. */
    requestsLeft: await client.xLen(REFUND_STREAM),
    pendingEntriesLeft: (
      await client.xPendingRange(REFUND_STREAM, REFUND_GROUP, "-", "+", NUMBER_OF_ALL).catch(withoutGroup)
    ).length,
  };
}

/** Nobody holds anything in a group that is not there, or whose stream is not. */
export function withoutGroup(error: unknown): [] {
  if (/NOGROUP|no such key|requires the key to exist/.test(String(error))) return [];
  throw error;
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

/** A client whose replies keep their bytes. */
function raw(client: DirectClient) {
  return client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.MAP]: Array });
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
