import { createHash } from "node:crypto";
import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { OrderError } from "../errors.ts";
import { OrderPk } from "../order.ts";
import type { OrderRequest } from "../order-request.ts";
import { runCommand } from "../redis/pipeline.ts";

/** What `create-order.lua` keeps of an Idempotency-Key: `pk:fingerprint`, the latter in hex. */
const RecordReply = z.nullable(
  z.pipe(
    z.pipe(
      z.string(),
      z.transform((record) => record.split(":")),
    ),
    z.tuple([OrderPk, z.string()]),
  ),
);

/** What must be equal for two requests to be the same: the order asked for, however the JSON was written. */
export function fingerprint({ id, quantity }: OrderRequest): string {
  return createHash("sha256")
    .update(JSON.stringify([id, quantity]))
    .digest("hex");
}

/**
 * The pk of the order that an Idempotency-Key has placed; undefined when it has placed none. A replica may answer, which
 * does not know the key yet: what a request may do is decided by `create-order.lua` alone.
 * @param key of `idempotencyKeyKey`
 * @throws OrderError `idempotency_key_reused` when that was for another request; `redis_failed`, `redis_replied_nonsense`
 */
export async function findPlaced(redis: Redis, key: string, request: OrderRequest): Promise<string | undefined> {
  const record = await runCommand(redis, { reply: RecordReply, add: (pipeline) => pipeline.get(key) });
  if (record === null) return undefined;
  const [pk, placed] = record;
  if (placed !== fingerprint(request)) throw new OrderError("idempotency_key_reused");
  return pk;
}
