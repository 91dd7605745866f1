import { ulid } from "ulid";
import { dueTime } from "../../lib/order.ts";
import { orderKey, PENDING_KEY, REFUND_STREAM } from "../../lib/redis/keys.ts";
import type { RedisClient } from "./stack.ts";

const LONG_AGO_MS = 600_000;

export const ORDER = { product_id: "tea-green", quantity: "2", created_at: "2026-11-23T06:00:00.000Z" };

/** Stores so many pending orders, all overdue for the sweep, with the completions that they owe. */
export async function storeOverdueOrders(redis: RedisClient, count: number): Promise<string[]> {
  const pks = Array.from({ length: count }, () => ulid(Date.now() - LONG_AGO_MS));
  await Promise.all(
    pks.flatMap((pk) => [
      redis.hSet(orderKey(pk), { pk, ...ORDER, status: "pending" }),
      redis.zAdd(PENDING_KEY, { value: pk, score: dueTime(pk) }),
    ]),
  );
  return pks;
}

export async function storeCompletedOrders(redis: RedisClient, count: number): Promise<string[]> {
  const pks = Array.from({ length: count }, () => ulid());
  const completed = { ...ORDER, status: "completed", completed_at: ORDER.created_at };
  await Promise.all(pks.map((pk) => redis.hSet(orderKey(pk), { pk, ...completed })));
  return pks;
}

export async function requestRefunds(redis: RedisClient, pks: readonly string[]): Promise<string[]> {
  return Promise.all(pks.map((pk) => redis.xAdd(REFUND_STREAM, "*", { pk, reason: "arrived broken" })));
}

export async function removeOrders(redis: RedisClient, pks: readonly string[]): Promise<void> {
  if (pks.length > 0) await redis.unlink(pks.map(orderKey));
}
