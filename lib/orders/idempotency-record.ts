import { createHash } from "node:crypto";
import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { OrderError } from "../errors.ts";
import { logger } from "../observability.ts";
import { OrderPk } from "../order.ts";
import type { OrderRequest } from "../order-request.ts";
import { runCommand, script, scriptCommand } from "../redis/pipeline.ts";
import releaseClaimLua from "../scripts/release-claim.lua" with { type: "text" };

/**
 * How long a claim lasts that nobody ends. A request must not place its order after its claim has expired, or another one
 * could be refused meanwhile. Lambda ends createOrder after 20 s (serverless.yml); 10 s are for what is still on its way to
 * Redis then.
 */
const CLAIM_EXPIRY_S = 30;

const CLAIM = "claim";

const releaseClaimScript = script(releaseClaimLua);
const ReleaseClaimReply = z.union([z.literal(0), z.literal(1)]);

/** What the key of an Idempotency-Key holds: `{pk}:{fingerprint}` of the order that it placed, or `claim:{pk}`. */
const HeldReply = z.nullable(
  z.pipe(
    z.pipe(
      z.string(),
      z.transform((held) => held.split(":")),
    ),
    z.union([z.tuple([z.literal(CLAIM), OrderPk]), z.tuple([OrderPk, z.string()])]),
  ),
);

/** What must be equal for two requests to be the same: the order asked for, however the JSON was written. */
export function fingerprint({ id, quantity }: OrderRequest): string {
  return createHash("sha256")
    .update(JSON.stringify([id, quantity]))
    .digest("hex");
}

/**
 * Claims an Idempotency-Key for the order `pk`, which this request may place from now on; no other one may while the claim
 * lasts, up to 30 s. One command: the claim names the order, so that a command that was sent again finds its own.
 * @param key of `idempotencyKeyKey`
 * @returns the pk of the order that the key has placed; undefined when it has placed none and is claimed now
 * @throws OrderError `idempotency_key_in_use` when another request has claimed it, whatever that one orders (IETF
 *   draft-ietf-httpapi-idempotency-key-header-07, section 2.6); `idempotency_key_reused` when it has placed a different
 *   order; `redis_failed`, `redis_replied_nonsense`
 */
export async function claimKey(
  redis: Redis,
  key: string,
  pk: string,
  request: OrderRequest,
): Promise<string | undefined> {
  const held = await runCommand(redis, {
    reply: HeldReply,
    // NX with GET needs Redis 7.0 (https://redis.io/docs/latest/commands/set/): it replies what it found, and sets nothing then.
    add: (pipeline) => pipeline.set(key, claimOf(pk), { nx: true, get: true, ex: CLAIM_EXPIRY_S }),
  });
  if (held === null) return undefined;
  const [first, second] = held;
  if (first === CLAIM) {
    if (second === pk) return undefined;
    throw new OrderError("idempotency_key_in_use");
  }
  if (second !== fingerprint(request)) throw new OrderError("idempotency_key_reused");
  return first;
}

/** Frees a key that was claimed for an order that is not placed. Never throws: what stays claimed expires. */
export async function releaseClaim(redis: Redis, key: string, pk: string): Promise<void> {
  try {
    await runCommand(redis, scriptCommand(releaseClaimScript, ReleaseClaimReply, [key], [claimOf(pk)]));
  } catch (error) {
    logger.warn("A claimed Idempotency-Key was not released", { pk, error });
  }
}

const claimOf = (pk: string): string => `${CLAIM}:${pk}`;
