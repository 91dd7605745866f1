import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "@upstash/redis";
import { decodeTime } from "ulid";
import * as z from "zod/mini";
import { ServiceError } from "../errors.ts";
import { runCommand } from "../redis/commands.ts";
import { orderKey } from "../redis/keys.ts";
import { pairsOf } from "../redis/pairs.ts";
import { Order, OrderPk } from "./order.ts";

/** HGETALL over REST: names and values in turn. Null and an empty list both mean that there is no such hash. */
const StoredOrder = z.pipe(z.pipe(z.nullable(z.array(z.string())), z.transform(toRecord)), z.nullable(Order));

/** Upstash replicates asynchronously, within milliseconds as a rule. An older order that is missing does not exist. */
const MAX_REPLICATION_MS = 10_000;

/** How long to wait before an order is read once more that may have just been placed. */
const REREAD_DELAY_MS = 250;

/**
 * Reads an order. A replica may reply, so the latest change may be missing.
 * @param pk any text from a client; one that is not a ULID is not looked up
 * @throws ServiceError `order_not_found`; `order_not_found_yet`: it may have been placed in the last 10 seconds; `redis_failed`,
 *   `redis_invalid_reply`
 */
export async function findOrder(redis: Redis, pk: string): Promise<Order> {
  if (!OrderPk.safeParse(pk).success) throw new ServiceError("order_not_found");
  const read = () => runCommand(redis, { reply: StoredOrder, add: (pipeline) => pipeline.hgetall(orderKey(pk)) });
  const order = await read();
  if (order !== null) return order;
  if (Math.abs(Date.now() - decodeTime(pk)) > MAX_REPLICATION_MS) throw new ServiceError("order_not_found");
  await sleep(REREAD_DELAY_MS);
  const reread = await read();
  if (reread === null) throw new ServiceError("order_not_found_yet");
  return reread;
}

/**
 * Reads the order that an Idempotency-Key has placed.
 * @throws ServiceError `order_deleted`; `idempotency_key_in_use`: it was placed in the last 10 seconds and cannot be read yet;
 *   `redis_failed`, `redis_invalid_reply`
 */
export async function findPlacedOrder(redis: Redis, pk: string): Promise<Order> {
  try {
    return await findOrder(redis, pk);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.code === "order_not_found") throw new ServiceError("order_deleted");
    throw error.code === "order_not_found_yet" ? new ServiceError("idempotency_key_in_use") : error;
  }
}

function toRecord(flat: string[] | null): Record<string, string | undefined> | null {
  if (flat === null || flat.length === 0) return null;
  return Object.fromEntries(pairsOf(flat));
}
