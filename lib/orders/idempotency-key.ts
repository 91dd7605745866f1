import { createHash } from "node:crypto";
import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { ServiceError } from "../errors.ts";
import { runCommand, script, scriptCommand } from "../redis/commands.ts";
import { logger } from "../telemetry.ts";
import { OrderPk } from "./order.ts";
import type { OrderRequest } from "./order-request.ts";
import releaseClaimLua from "./release-claim.lua" with { type: "text" };

/**
 * When a claim expires that is not released. It must outlast its request: Lambda ends createOrder after 20 s
 * (serverless.yml), and a command that it sent may reach Redis up to 10 s later.
 */
const CLAIM_EXPIRY_S = 30;

const CLAIM = "claim";

const releaseClaimScript = script(releaseClaimLua);

/** What the Redis key of an Idempotency-Key holds: a record of the order that was placed with it, or a claim; null if it is free. */
export const HeldReply = z.nullable(
  z.pipe(
    z.pipe(
      z.string(),
      z.transform((held) => held.split(":")),
    ),
    z.union([z.tuple([z.literal(CLAIM), OrderPk]), z.tuple([OrderPk, z.string()])]),
  ),
);

type Held = z.infer<typeof HeldReply>;

/** The caller of a request: issuer and subject (RFC 7519 section 4.1) of its JSON Web Token. A token may have no subject. */
export interface Caller {
  readonly issuer: string;
  readonly subject: string | undefined;
}

/**
 * The Redis key of an Idempotency-Key. Each authenticated caller has its own set of keys. It is hashed because it may be long,
 * and because it is a secret of the client: anyone who has it can read the order.
 */
export function idempotencyRedisKey(idempotencyKey: string, caller?: Caller): string {
  // JSON is unambiguous: no two callers and keys give the same text.
  const owned = caller ? JSON.stringify([caller.issuer, caller.subject ?? null, idempotencyKey]) : idempotencyKey;
  return `idempotency:${createHash("sha256").update(owned).digest("hex")}`;
}

/** The value of a key with which the order `pk` was placed. The fingerprint is that of everything the request orders. */
export const recordOf = (pk: string, request: OrderRequest): string => `${pk}:${fingerprint(request)}`;

/** The value of a key while a request waits for the price of the order `pk`. */
export const claimOf = (pk: string): string => `${CLAIM}:${pk}`;

/**
 * Claims an Idempotency-Key for the order `pk`: for up to 30 s only this request may place an order with it. The claim names
 * the order, so that a command that is sent again recognizes its own claim.
 * @param key of `idempotencyRedisKey`
 * @returns the pk of the order that was placed with the key; undefined when the key is now claimed
 * @throws ServiceError as `firstPkOf`; `redis_failed`, `redis_invalid_reply`
 */
export async function claimKey(
  redis: Redis,
  key: string,
  pk: string,
  request: OrderRequest,
): Promise<string | undefined> {
  const held = await runCommand(redis, {
    reply: HeldReply,
    // NX with GET needs Redis 7.0 (https://redis.io/docs/latest/commands/set/): it returns an existing value and does not overwrite it.
    add: (pipeline) => pipeline.set(key, claimOf(pk), { nx: true, get: true, ex: CLAIM_EXPIRY_S }),
  });
  return firstPkOf(held, pk, request);
}

/**
 * Decides about a request by what its key holds.
 * @param pk the order that the request is about to place
 * @returns the pk of the order that was placed with the key; undefined when this request may place its order
 * @throws ServiceError `idempotency_key_in_use` when another request has claimed it (IETF
 *   draft-ietf-httpapi-idempotency-key-header-07, section 2.6); `idempotency_key_reused` when a different order was placed
 *   with it
 */
export function firstPkOf(held: Held, pk: string, request: OrderRequest): string | undefined {
  if (held === null) return undefined;
  const [first, second] = held;
  if (first === CLAIM) {
    if (second === pk) return undefined;
    throw new ServiceError("idempotency_key_in_use");
  }
  if (second !== fingerprint(request)) throw new ServiceError("idempotency_key_reused");
  return first;
}

/** Releases the claim of an order that was not placed. Never throws: a claim that stays expires. */
export async function releaseClaim(redis: Redis, key: string, pk: string): Promise<void> {
  try {
    await runCommand(redis, scriptCommand(releaseClaimScript, z.int(), [key], [claimOf(pk)]));
  } catch (error) {
    logger.warn("A claimed Idempotency-Key was not released", { pk, error });
  }
}

/** Equal for two requests that order the same, however their JSON is written: parsing puts the fields into one order. */
function fingerprint(request: OrderRequest): string {
  return createHash("sha256").update(JSON.stringify(request)).digest("hex");
}
