import { COMPLETED_STREAM, PENDING_KEY } from "../../lib/redis/keys.ts";
import { ORDER } from "./orders.ts";
import type { RedisClient } from "./stack.ts";

const PART = 10_000;
const DIGITS = 24;
const HOUR_MS = 3_600_000;

/** One order in ten is pending, due in an hour; the others are completed and announced. Runs inside Redis: a million takes seconds. */
const FILL = `
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

/** The pk of order number `index`, from 0: digits are letters of a ULID too. */
export const pkOf = (index: number): string => `01${String(index).padStart(DIGITS, "0")}`;

/** Fills an empty database with so many orders. */
export async function filled(redis: RedisClient, count: number): Promise<void> {
  const { product_id, quantity, created_at } = ORDER;
  for (let from = 0; from < count; from += PART) {
    const range = [from, Math.min(from + PART, count) - 1, Date.now() + HOUR_MS].map(String);
    await redis.eval(FILL, {
      keys: [PENDING_KEY, COMPLETED_STREAM],
      arguments: [...range, product_id, quantity, created_at],
    });
  }
}
