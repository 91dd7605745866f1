import { randomInt } from "node:crypto";
import type { Redis } from "@upstash/redis";
import { ulid } from "ulid";
import { runCommand, script, scriptCommand } from "../redis/commands.ts";
import { orderKey, PENDING_KEY } from "../redis/keys.ts";
import { countMetric, logger } from "../telemetry.ts";
import { COMPLETION_DELAY_MS } from "./completion-delay.ts";
import createOrderLua from "./create-order.lua" with { type: "text" };
import { findPlacedOrder } from "./find-order.ts";
import {
  type Caller,
  claimKey,
  claimOf,
  firstPkOf,
  HeldReply,
  idempotencyRedisKey,
  recordOf,
  releaseClaim,
} from "./idempotency-key.ts";
import type { Order } from "./order.ts";
import type { OrderRequest } from "./order-request.ts";
import { type Amounts, priceOrder } from "./prices.ts";

const DAY_S = 86_400;

/** How long an Idempotency-Key is remembered: 24 hours. */
const IDEMPOTENCY_RETENTION_S = DAY_S;

const createOrderScript = script(createOrderLua);

/** Creates the schedules of orders. Without one, the sweep alone completes orders. */
export interface CompletionScheduler {
  /**
   * @param due when the order is to be completed, in ms since the epoch; never earlier
   * @throws Error after its retries
   */
  schedule(pk: string, due: number): Promise<void>;
}

/** Knows the unit prices of products. Without one, orders have no price. */
export interface Inventory {
  /** @throws ServiceError `unknown_product`, `inventory_failed`, `inventory_timed_out` */
  priceOf(productId: string): Promise<number>;
}

export interface PlaceOrderDependencies {
  readonly redis: Redis;
  readonly scheduler?: CompletionScheduler | undefined;
  readonly inventory?: Inventory | undefined;
  /** After how many days (a whole number) the order is deleted; 0: never. */
  readonly retentionDays: number;
}

export interface PlaceOrderInput {
  readonly request: OrderRequest;
  /** A second call with the same key returns the first order. */
  readonly idempotencyKey: string | undefined;
  /** The owner of the key. Undefined without authentication: then all callers share their keys. */
  readonly caller?: Caller | undefined;
  /** The order's time of creation, in ms since the epoch. */
  readonly now: number;
}

export interface PlaceOrderResult {
  readonly order: Order;
  /** Whether an earlier request with this Idempotency-Key placed the order. */
  readonly replayed: boolean;
}

/**
 * Stores an order and schedules its completion. A stored order is durable: if scheduling fails, that is logged and counted,
 * and the sweep completes the order.
 * @throws ServiceError `idempotency_key_reused`, `idempotency_key_in_use`, `order_deleted` and what `priceOf` throws: this
 *   request has stored nothing; `redis_failed`, `redis_invalid_reply`: it may have stored the order
 */
export async function placeOrder(
  { redis, scheduler, inventory, retentionDays }: PlaceOrderDependencies,
  input: PlaceOrderInput,
): Promise<PlaceOrderResult> {
  const { request, idempotencyKey, caller, now } = input;
  const key = idempotencyKey === undefined ? undefined : idempotencyRedisKey(idempotencyKey, caller);
  const pk = ulid(now, randomDigit);
  if (inventory && key !== undefined) {
    // Before the price is asked for, so that a replay needs no inventory. Without one, the script alone looks at the key.
    const firstPk = await claimKey(redis, key, pk, request);
    if (firstPk !== undefined) return replay(redis, firstPk);
  }
  const amounts = inventory && (await lookUpAmounts(redis, inventory, request, key, pk));
  const order = newOrder(pk, request, now, amounts);
  const due = now + COMPLETION_DELAY_MS;
  const keys = [orderKey(pk), PENDING_KEY, ...(key === undefined ? [] : [key])];
  const args = [pk, due, retentionDays * DAY_S, IDEMPOTENCY_RETENTION_S, recordOf(pk, request), claimOf(pk)];
  // Amounts are stored with two decimals, as the stream has them.
  const fields = namesAndValues({ ...order, ...amounts });
  const held = await runCommand(redis, scriptCommand(createOrderScript, HeldReply, keys, [...args, ...fields]));
  const firstPk = firstPkOf(held, pk, request);
  if (firstPk !== undefined) return replay(redis, firstPk);
  countMetric("OrdersCreated");
  logger.info("Order placed", { pk });
  if (scheduler) await scheduleOrLeaveToSweep(scheduler, pk, due);
  return { order, replayed: false };
}

async function replay(redis: Redis, pk: string): Promise<PlaceOrderResult> {
  countMetric("OrdersReplayed");
  logger.info("Order was placed before with this Idempotency-Key", { pk });
  return { order: await findPlacedOrder(redis, pk), replayed: true };
}

/** Without a price no order is placed, so the key is released for the next request. */
async function lookUpAmounts(
  redis: Redis,
  inventory: Inventory,
  { id, quantity }: OrderRequest,
  key: string | undefined,
  pk: string,
): Promise<Amounts> {
  try {
    return priceOrder(await inventory.priceOf(id), quantity);
  } catch (error) {
    if (key !== undefined) await releaseClaim(redis, key, pk);
    throw error;
  }
}

function newOrder(pk: string, { id, ...ordered }: OrderRequest, now: number, amounts: Amounts | undefined): Order {
  return {
    pk,
    product_id: id,
    ...ordered,
    ...(amounts && { price: Number(amounts.price), fee: Number(amounts.fee), total: Number(amounts.total) }),
    status: "pending",
    created_at: new Date(now).toISOString(),
  };
}

function namesAndValues(fields: Readonly<Record<string, string | number | undefined>>): (string | number)[] {
  return Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
}

/** A random digit of a ULID. The package's own source asks the kernel for each of 16 digits, which takes 30 µs per order. */
const randomDigit = (): number => randomInt(32) / 32;

async function scheduleOrLeaveToSweep(scheduler: CompletionScheduler, pk: string, due: number): Promise<void> {
  try {
    await scheduler.schedule(pk, due);
  } catch (error) {
    countMetric("ScheduleFailures");
    logger.error("No completion was scheduled: the sweep will complete this order", { pk, error });
  }
}
