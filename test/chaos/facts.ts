import type { z } from "zod";
import {
  COMPLETED_STREAM,
  DEAD_REFUND_STREAM,
  PENDING_KEY,
  REFUND_GROUP,
  REFUND_STREAM,
} from "../../lib/redis/keys.ts";
import type { DirectClient } from "./database.ts";
import { Entries, raw, withoutGroup } from "./refund-stream.ts";

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
