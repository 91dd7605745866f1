import { ulid } from "ulid";
import { FUNCTIONS } from "../../infra/serverless-yml.ts";
import { COMPLETION_DELAY_MS } from "../../lib/orders/completion-delay.ts";
import { COMPLETED_STREAM, orderKey, PENDING_KEY, REFUND_STREAM } from "../../lib/redis/keys.ts";
import { getOrderEvent, httpEvent, placeOrderEvent, sampleEvent } from "../lambda-host/events.ts";
import type { MeasuredStack, RedisClient } from "./stack.ts";

const LONG_AGO_MS = 600_000;
const HOUR_MS = 3_600_000;
const CHUNK = 10_000;
const DIGITS = 24;

const ORDER = { product_id: "tea-green", quantity: "2", created_at: "2026-11-23T06:00:00.000Z" };

export const ORDER_BODY = { id: ORDER.product_id, quantity: ORDER.quantity };

/** One order in ten is pending and due in an hour; the others are completed and announced. A million takes seconds. */
const FILL_LUA = `
local from, to, due, product, quantity, at = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
for i = from, to do
  local pk = string.format('01%0${DIGITS}.0f', i)
  local order = { 'pk', pk, 'product_id', product, 'quantity', quantity, 'created_at', at, 'status' }
  table.insert(order, i % 10 == 0 and 'pending' or 'completed')
  redis.call('HSET', 'order:' .. pk, unpack(order))
  if i % 10 == 0 then
    redis.call('ZADD', KEYS[1], due, pk)
  else
    redis.call('XADD', KEYS[2], '*', unpack(order))
  end
end`;

/** The pk of order number `index` of a filled database, from 0: digits are letters of a ULID too. */
export const filledPk = (index: number): string => `01${String(index).padStart(DIGITS, "0")}`;

/** Fills an empty database with `count` orders. */
export async function fillDatabase(redis: RedisClient, count: number): Promise<void> {
  for (let from = 0; from < count; from += CHUNK) {
    const range = [from, Math.min(from + CHUNK, count) - 1, Date.now() + HOUR_MS].map(String);
    await redis.eval(FILL_LUA, {
      keys: [PENDING_KEY, COMPLETED_STREAM],
      arguments: [...range, ORDER.product_id, ORDER.quantity, ORDER.created_at],
    });
  }
}

/** Stores pending orders that the sweep finds overdue, and returns their pks. */
export function storeOverdueOrders(redis: RedisClient, count: number): Promise<string[]> {
  return storePendingOrders(
    redis,
    Array.from({ length: count }, () => Date.now() - LONG_AGO_MS),
  );
}

/**
 * Stores an order for each due time, and returns their pks.
 * @param dueTimes whole ms since the epoch
 */
export async function storePendingOrders(redis: RedisClient, dueTimes: readonly number[]): Promise<string[]> {
  const orders = dueTimes.map((due) => ({ pk: ulid(due - COMPLETION_DELAY_MS), due }));
  await Promise.all(
    orders.flatMap(({ pk, due }) => [
      redis.hSet(orderKey(pk), { pk, ...ORDER, status: "pending" }),
      redis.zAdd(PENDING_KEY, { value: pk, score: due }),
    ]),
  );
  return orders.map(({ pk }) => pk);
}

export async function storeCompletedOrders(redis: RedisClient, count: number): Promise<string[]> {
  const pks = Array.from({ length: count }, () => ulid());
  const completed = { ...ORDER, status: "completed", completed_at: ORDER.created_at };
  await Promise.all(pks.map((pk) => redis.hSet(orderKey(pk), { pk, ...completed })));
  return pks;
}

/** Stores completed orders, each with a refund request, and returns their pks. */
export async function storeRefundRequests(redis: RedisClient, count: number): Promise<string[]> {
  const pks = await storeCompletedOrders(redis, count);
  await Promise.all(pks.map((pk) => redis.xAdd(REFUND_STREAM, "*", { pk, reason: "arrived broken" })));
  return pks;
}

export async function removeOrders(redis: RedisClient, pks: readonly string[]): Promise<void> {
  await redis.unlink(pks.map(orderKey));
}

/** For every function of serverless.yml an event that it can handle repeatedly, by the function's name. */
export async function sampleEvents({ redis }: MeasuredStack): Promise<[string, unknown][]> {
  const [pk = ""] = await storeCompletedOrders(redis, 1);
  const events: Record<string, unknown> = {
    getOrder: getOrderEvent(pk),
    createOrder: placeOrderEvent(ORDER_BODY),
    completeOrder: { pk },
    // A preflight request: the sample in events/ is refused.
    unknownRoute: httpEvent({ routeKey: "$default", method: "OPTIONS", path: "/orders" }),
  };
  const names = FUNCTIONS;
  return Promise.all(names.map(async (name) => [name, events[name] ?? (await sampleEvent(name))]));
}
