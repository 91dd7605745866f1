import { RESP_TYPES } from "redis";
import { z } from "zod";
import { REFUND_GROUP, REFUND_STREAM } from "../../lib/redis/keys.ts";
import type { ChaosDatabase, DirectClient } from "./database.ts";

/** Older than any request that a living poller holds, in ms. */
const AGED_MS = 120_000;
const MOST = 10_000;

const Text = z.instanceof(Buffer);
export const Entries = z.array(
  z.tuple([Text.transform(String), z.array(Text)]).transform(([id, fields]) => ({ id, fields })),
);

/** A client whose replies keep their bytes. */
export function raw(client: DirectClient) {
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
