import { createClient, RESP_TYPES } from "@redis/client";
import pRetry from "p-retry";
import { z } from "zod";
import { DEAD_LETTER_STREAM, PENDING_KEY, REFUND_GROUP, REFUND_STREAM } from "../../lib/redis/keys.ts";
import { startRedis } from "../../local/redis/redis-server.ts";
import { temporaryFolder } from "../lambda-host/temporary-folder.ts";

/** For what fails until Redis is back. */
const PATIENTLY = { retries: 100, minTimeout: 50, factor: 1 };

/** Makes requests that were handed out ARGV[2] ms ago look as if that was two minutes ago. */
const AGE = `
  local held = redis.pcall('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[2], '-', '+', 10000)
  for _, entry in ipairs(held) do
    redis.call('XCLAIM', KEYS[1], ARGV[1], entry[2], 0, entry[1], 'IDLE', 120000, 'JUSTID')
  end`;

/** Orders that are due by ARGV[1] look as if they had been due 70 s before: longer ago than the grace of the sweep. */
const AGE_ORDERS = `
  for _, pk in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE')) do
    redis.call('ZINCRBY', KEYS[1], -70000, pk)
  end`;

/** At its highest id a stream takes no entry, as a record at Upstash's limit. */
const FILL_STREAM = `
  redis.call('XGROUP', 'CREATE', KEYS[1], 'fault', '$', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', KEYS[1], 'fault')
  redis.call('XSETID', KEYS[1], '18446744073709551615-18446744073709551615')`;

const Entries = z.array(z.tuple([z.unknown(), z.array(z.instanceof(Buffer))]).transform(([, fields]) => fields));

export type DirectClient = ReturnType<typeof connect>;

export type ChaosDatabase = Awaited<ReturnType<typeof startDatabase>>;

export type Hash = Readonly<Record<string, string>>;

/** Everything that Redis holds at the end of a run. */
export type Facts = Awaited<ReturnType<typeof readFacts>> & {
  /** The entries of `order_completed`, as a consumer group got them. */
  readonly announcements: readonly Hash[];
};

/**
 * The real Redis of a run: it can be killed, and restarts with its data.
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

  /** Works on Redis directly, without faults. Redis is not killed during it. */
  async function direct<Result>(work: (client: DirectClient) => Promise<Result>): Promise<Result> {
    while (outage) await outage;
    const result = work(client);
    underWay.add(result);
    return result.finally(() => underWay.delete(result));
  }

  /** Runs `work` while no direct work is under way, nor begins: what it does to Redis is meant for the service. */
  async function alone(work: (client: DirectClient) => Promise<void>): Promise<void> {
    while (outage) await outage;
    outage = Promise.allSettled(underWay).then(() => work(client));
    await outage.finally(() => {
      outage = undefined;
    });
  }

  async function restart(): Promise<void> {
    process.kill(server.pid, "SIGKILL");
    await server.exited;
    await server.stop();
    // Another program may have the port now, for a connection of its own.
    server = await pRetry(() => startRedis({ port, dataDir }), PATIENTLY);
    await pRetry(() => client.configSet("appendfsync", "always"), PATIENTLY);
  }

  return {
    url,
    direct,
    alone,
    /** SIGKILL, and a new start from the append-only file; resolves when it serves again. */
    killAndRestart: () => alone(restart),
    /** XAUTOCLAIM uses Redis's clock, which cannot be set. This makes requests that were held for `heldMs` old enough for it. */
    ageRequests: (heldMs: number) =>
      direct((client) => client.eval(AGE, { keys: [REFUND_STREAM], arguments: [REFUND_GROUP, String(heldMs)] })),
    /** Makes orders that are `lateMs` late overdue, so that the run need not wait for the sweep's grace. */
    ageOrders: (lateMs: number) =>
      direct((client) => client.eval(AGE_ORDERS, { keys: [PENDING_KEY], arguments: [String(Date.now() - lateMs)] })),
    async stop() {
      await Promise.allSettled(underWay);
      client.destroy();
      await server.stop();
      folder[Symbol.dispose]();
    },
  };
}

export async function readFacts(client: DirectClient) {
  const keys = await client.keys("order:*");
  const hashes = await Promise.all(keys.map((key) => client.hGetAll(key)));
  const pending = await client.xPending(REFUND_STREAM, REFUND_GROUP).catch(withoutGroup);
  return {
    /** By pk, from the key. */
    orders: new Map(keys.map((key, index): [string, Hash] => [key.slice("order:".length), { ...hashes[index] }])),
    /** The fields of each dead letter, names and values in turn. */
    deadLetters: await entriesOf(client, ["XRANGE", DEAD_LETTER_STREAM, "-", "+"]),
    pendingPks: await client.zRange(PENDING_KEY, 0, -1),
    /** On `refund_order`, and pending in its group. */
    requestsLeft: await client.xLen(REFUND_STREAM),
    pendingEntriesLeft: pending?.pending ?? 0,
  };
}

/** The fields of each entry that a command returns, byte by byte: names and values in turn. */
export async function entriesOf(client: DirectClient, command: readonly string[]): Promise<Buffer[][]> {
  const raw = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.MAP]: Array });
  return Entries.parse(await raw.sendCommand([...command]));
}

/** Makes Redis refuse to add to the stream from now on. */
export async function fillStream(client: DirectClient, stream: string): Promise<void> {
  await client.eval(FILL_STREAM, { keys: [stream] });
}

/** Lets Redis add to the stream again, after its newest entry and what was deleted: Redis 8 refuses a smaller id. */
export async function makeRoom(client: DirectClient, stream: string): Promise<void> {
  await client.sendCommand(["XSETID", stream, `${Date.now() + 1}-0`]);
}

/** A group that does not exist, or whose stream does not, has nothing pending. */
export function withoutGroup(error: unknown): undefined {
  if (!/NOGROUP|no such key|requires the key to exist/.test(String(error))) throw error;
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
