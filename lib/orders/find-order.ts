import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { ServiceError } from "../errors.ts";
import { runCommand } from "../redis/commands.ts";
import { orderKey } from "../redis/keys.ts";
import { Order, OrderPk } from "./order.ts";

/** HGETALL over REST: names and values in turn. Null and an empty list both mean that there is no such hash. */
const StoredOrder = z.pipe(z.pipe(z.nullable(z.array(z.string())), z.transform(toRecord)), z.nullable(Order));

/**
 * Reads an order. A replica may reply, so the latest change may be missing.
 * @param pk any text from a client; one that is not a ULID is not looked up
 * @throws ServiceError `order_not_found`, `redis_failed`, `redis_invalid_reply`
 */
export async function findOrder(redis: Redis, pk: string): Promise<Order> {
  if (!OrderPk.safeParse(pk).success) throw new ServiceError("order_not_found");
  const order = await runCommand(redis, { reply: StoredOrder, add: (pipeline) => pipeline.hgetall(orderKey(pk)) });
  if (order === null) throw new ServiceError("order_not_found");
  return order;
}

function toRecord(flat: string[] | null): Record<string, string | undefined> | null {
  if (flat === null || flat.length === 0) return null;
  return Object.fromEntries(flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]]] : [])));
}
