import * as z from "zod";
import { runCommand } from "../../lib/redis/commands.ts";
import { NEW, RECLAIM_IDLE_MS, readRefundsCommand } from "../../lib/refunds/drain-refunds.ts";
import type { TestRedisClient } from "./redis.ts";
import type { TestStore } from "./store.ts";

export const GROUP = "payment-group";

/** Runs the script that reads a batch, and returns its reply. */
export async function readBatch(store: TestStore, from = NEW) {
  return runCommand(store.redis, readRefundsCommand(from));
}

/** Adds a request of any fields and bytes, and returns its id. */
export async function addRequest(client: TestRedisClient, fields: readonly (string | Buffer)[]): Promise<string> {
  return z.string().parse(await client.sendCommand(["XADD", "refund_order", "*", ...fields]));
}

/** Has a consumer, by default the poller's own, take new requests and die: they stay pending, idle for that long. */
export async function crashPoller(client: TestRedisClient, idleMs = RECLAIM_IDLE_MS, consumer = "drain-refunds") {
  await client.xGroupCreate("refund_order", GROUP, "0", { MKSTREAM: true }).catch(ignoreExistingGroup);
  await client.xReadGroup(GROUP, consumer, { key: "refund_order", id: ">" }, { COUNT: 10_000 });
  if (idleMs > 0) await agePending(client, idleMs, consumer);
}

/** Makes all pending requests look as if their consumer took them `idleMs` ago. */
export async function agePending(client: TestRedisClient, idleMs = RECLAIM_IDLE_MS, consumer = "drain-refunds") {
  const ids = await pendingIds(client);
  if (ids.length === 0) return;
  await client.sendCommand(["XCLAIM", "refund_order", GROUP, consumer, "0", ...ids, "IDLE", String(idleMs), "JUSTID"]);
}

export async function pendingIds(client: TestRedisClient): Promise<string[]> {
  const pending = await client.xPendingRange("refund_order", GROUP, "-", "+", 100_000);
  return pending.map(({ id }) => id);
}

/** What is left of the refund stream: entries, and entries delivered but not settled. */
export async function leftOver(client: TestRedisClient) {
  return { entries: await client.xLen("refund_order"), pending: (await pendingIds(client)).length };
}

function ignoreExistingGroup(error: unknown): void {
  if (!String(error).includes("BUSYGROUP")) throw error;
}
