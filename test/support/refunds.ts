import * as z from "zod";
import { runCommand } from "../../lib/redis/commands.ts";
import {
  RECLAIM,
  RECLAIM_IDLE_MS,
  type RefundRequest,
  readRefundsCommand,
  settleRefundsCommand,
} from "../../lib/refunds/drain-refunds.ts";
import type { TestRedisClient } from "./redis.ts";
import type { TestStore } from "./store.ts";

export const GROUP = "payment-group";
export const SETTLED_AT = "2026-11-23T06:01:00.000Z";

/** Runs the script that reads a batch, and returns its reply. */
export async function readBatch(store: TestStore, cursor = RECLAIM) {
  return runCommand(store.redis, readRefundsCommand(cursor));
}

/** Runs the script that settles a batch, and returns a code for each request. */
export async function settleRefunds(store: TestStore, requests: readonly RefundRequest[]): Promise<readonly number[]> {
  const [codes] = await runCommand(store.redis, settleRefundsCommand(requests, Date.parse(SETTLED_AT)));
  return codes;
}

/** Adds a request of any fields and bytes, and returns its id. */
export async function addRequest(client: TestRedisClient, fields: readonly (string | Buffer)[]): Promise<string> {
  return z.string().parse(await client.sendCommand(["XADD", "refund_order", "*", ...fields]));
}

/** Has a consumer, by default the poller's own, take new requests and die: they stay pending, idle for so long. */
export async function crashPoller(client: TestRedisClient, idleMs = RECLAIM_IDLE_MS, consumer = "drain-refunds") {
  await client.xGroupCreate("refund_order", GROUP, "0", { MKSTREAM: true }).catch(ignoreExistingGroup);
  await client.xReadGroup(GROUP, consumer, { key: "refund_order", id: ">" }, { COUNT: 10_000 });
  for (const id of await pendingIds(client)) {
    await client.sendCommand(["XCLAIM", "refund_order", GROUP, consumer, "0", id, "IDLE", String(idleMs), "JUSTID"]);
  }
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
