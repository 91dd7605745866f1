import { ulid } from "ulid";
import { expect } from "vitest";
import { Order } from "../../lib/orders/order.ts";
import type { HttpReply } from "./functions.ts";
import type { TestRedisClient } from "./redis.ts";

export const CREATED_AT = "2026-11-23T06:00:00.000Z";
export const DUE = Date.parse(CREATED_AT) + 5_000;

/** A bound of `order_completed` that no test reaches by accident. */
export const STREAM_MAX_LENGTH = 100_000;

export const newPk = (): string => ulid();

/**
 * Stores an order as the service does, pending ones with the completion that they owe.
 * @param prices those of an order that has them
 */
export async function storeOrder(
  client: TestRedisClient,
  status = "pending",
  pk = newPk(),
  prices: Readonly<Record<string, string>> = {},
): Promise<string> {
  const order = { pk, product_id: "123", quantity: "2", ...prices, status, created_at: CREATED_AT };
  await client.hSet(`order:${pk}`, order);
  if (status === "pending") await client.zAdd("orders:pending", { value: pk, score: DUE });
  return pk;
}

/** Stores `count` pending orders in batches: a slow machine does not answer thousands of commands in time. */
export async function storeOrders(client: TestRedisClient, count: number): Promise<string[]> {
  const pks: string[] = [];
  while (pks.length < count) {
    const batch = Math.min(count - pks.length, 250);
    pks.push(...(await Promise.all(Array.from({ length: batch }, () => storeOrder(client)))));
  }
  return pks;
}

export async function statusOf(client: TestRedisClient, pk: string): Promise<string | null> {
  return client.hGet(`order:${pk}`, "status");
}

/** What another service puts on the stream to have an order refunded. */
export async function requestRefund(client: TestRedisClient, pk: string): Promise<string> {
  return client.xAdd("refund_order", "*", { pk });
}

export async function requestRefunds(client: TestRedisClient, pks: readonly string[]): Promise<string[]> {
  return Promise.all(pks.map((pk) => requestRefund(client, pk)));
}

/** How often each pk was announced on the stream of completed orders. */
export async function announcements(client: TestRedisClient): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { message } of (await client.xRange("order_completed", "-", "+")) ?? []) {
    const pk = message.pk ?? "";
    counts[pk] = (counts[pk] ?? 0) + 1;
  }
  return counts;
}

/** The order of a reply that is expected to hold one. */
export function orderOf(reply: HttpReply): Order {
  expect(reply).toMatchObject({ statusCode: 200, headers: { "content-type": "application/json" } });
  // The schema takes a quantity in digits too, as Redis holds it.
  expect(reply.body).toMatchObject({ quantity: expect.any(Number) });
  return Order.parse(reply.body);
}
