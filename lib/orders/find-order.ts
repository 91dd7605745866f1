import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { OrderError } from "../errors.ts";
import { Order, OrderPk } from "../order.ts";
import { orderKey } from "../redis/keys.ts";
import { runCommand } from "../redis/pipeline.ts";

/** HGETALL over REST: names and values in turn. Null and an empty list both mean that there is no such hash. */
const StoredOrder = z.pipe(z.pipe(z.nullable(z.array(z.string())), z.transform(toRecord)), z.nullable(Order));

/**
 * Reads one order, in one call. A replica may answer, so a change of the last moments may not show yet.
 * @param pk anything a client sent; what is no ULID cannot be an order's and is not looked up
 * @throws OrderError `order_not_found`, `redis_failed`, `redis_replied_nonsense`
 */
export async function findOrder(redis: Redis, pk: string): Promise<Order> {
  if (!OrderPk.safeParse(pk).success) throw new OrderError("order_not_found");
  const order = await runCommand(redis, { reply: StoredOrder, add: (pipeline) => pipeline.hgetall(orderKey(pk)) });
  if (order === null) throw new OrderError("order_not_found");
  return order;
}

function toRecord(flat: string[] | null): Record<string, string | undefined> | null {
  if (flat === null || flat.length === 0) return null;
  return Object.fromEntries(flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]]] : [])));
}
