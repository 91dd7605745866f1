import { RESP_TYPES } from "redis";
import * as z from "zod";
import { drainRefunds } from "../../lib/refunds/drain-refunds.ts";
import type { TestRedisClient } from "../support/redis.ts";
import { addRequest } from "../support/refunds.ts";
import { type Ran, runScript } from "../support/run.ts";
import type { TestStore } from "../support/store.ts";

export const COMMAND = "tools/dead-refunds.ts";

type Fields = readonly (string | Buffer)[];
const Entries = z.array(z.tuple([z.string(), z.array(z.instanceof(Buffer))]));

/** What the command finds in its environment: the database of the test and nothing of this machine's. */
export const databaseEnv = (store: TestStore, token = store.token): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  UPSTASH_REDIS_REST_URL: store.url,
  UPSTASH_REDIS_REST_TOKEN: token,
});

/** Runs the command to its end, not at a terminal. */
export function deadRefunds(store: TestStore, ...args: string[]): Promise<Ran> {
  return runScript(COMMAND, args, databaseEnv(store));
}

/** Has the poller refuse a request of these fields, and returns the id of its dead letter. */
export async function refused(store: TestStore, fields: Fields): Promise<string> {
  await addRequest(store.client, fields);
  await drain(store);
  return (await entries(store.client, "refund_order:dead")).at(-1)?.id ?? "";
}

export const drain = (store: TestStore) => drainRefunds(store.redis, Date.now, () => 50_000);

/** Writes so many dead letters as the poller would, each of an order of its own, and returns their ids. */
export function bury(client: TestRedisClient, count: number): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, (_, n) =>
      client.xAdd("refund_order:dead", "*", {
        dead_reason: "unknown_order",
        dead_id: `1-${n}`,
        dead_at: "2026-11-23T06:01:00.000Z",
        pk: `order-${n}`,
      }),
    ),
  );
}

/** The entries of a stream, every byte of them. */
export async function entries(client: TestRedisClient, stream: string) {
  const raw = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  const reply = z
    .array(z.tuple([z.instanceof(Buffer), z.unknown()]))
    .parse(await raw.sendCommand(["XRANGE", stream, "-", "+"]));
  return Entries.parse(reply.map(([id, fields]) => [String(id), fields])).map(([id, fields]) => ({ id, fields }));
}
