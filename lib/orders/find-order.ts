import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { OrderError } from "../errors.ts";
import { Order, OrderPk } from "../order.ts";
import { orderKey } from "../redis/keys.ts";
import { runPipeline } from "../redis/pipeline.ts";
import { parseReply } from "../redis/reply.ts";

/** HGETALL over REST: names and values in turn. */
const HashReply = z.nullable(z.array(z.string()));

/**
 * Reads one order, in one call. A replica may answer, so a change of the last moments may not show yet.
 * @param pk anything a client sent; what is no ULID cannot be an order's and is not looked up
 * @throws OrderError `order_not_found`, `redis_failed`, `redis_replied_nonsense`
 */
export async function findOrder(redis: Redis, pk: string): Promise<Order> {
  if (!OrderPk.safeParse(pk).success) throw new OrderError("order_not_found");
  const [reply] = await runPipeline(redis, [(pipeline) => pipeline.hgetall(orderKey(pk))]);
  const hash = parseReply(HashReply, reply);
  if (hash === null || hash.length === 0) throw new OrderError("order_not_found");
  return parseReply(Order, toRecord(hash));
}

function toRecord(flat: readonly string[]): Record<string, string | undefined> {
  return Object.fromEntries(flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]]] : [])));
}
