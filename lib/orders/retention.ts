import * as z from "zod/mini";

/** A century. Longer is a mistake, and Redis refuses much longer expiries. */
export const MAX_RETENTION_DAYS = 36_500;

/** How many days after it was placed an order is deleted. 0, or unset: never. */
export const OrderRetentionEnv = z.object({
  ORDER_RETENTION_DAYS: z._default(
    z.coerce.number<string>().check(z.int(), z.minimum(0), z.maximum(MAX_RETENTION_DAYS)),
    0,
  ),
});

/** How many entries `order_completed` keeps, about: older ones are trimmed, read or not. */
export const CompletedStreamEnv = z.object({
  COMPLETED_STREAM_MAX_LENGTH: z.coerce.number<string>().check(z.int(), z.minimum(1)),
});

/**
 * How many entries `order_completed` may have for a moment, by how many it keeps. The sweep trims it once a minute, because it can tell
 * what a consumer group has not read. Announcing trims only what exceeds that by a quarter, so that the stream stays bounded
 * without a sweep.
 */
export const hardBound = (maxLength: number): number => Math.ceil(maxLength * 1.25);
