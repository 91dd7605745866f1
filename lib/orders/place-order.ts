import { randomInt } from "node:crypto";
import type { Redis } from "@upstash/redis";
import { ulid } from "ulid";
import * as z from "zod/mini";
import type { CompletionTimer } from "../completion-timer.ts";
import { OrderError } from "../errors.ts";
import type { Inventory } from "../inventory.ts";
import { countMetric, logger } from "../observability.ts";
import { COMPLETION_DELAY_MS, type Order } from "../order.ts";
import type { OrderRequest } from "../order-request.ts";
import { type Caller, idempotencyKeyKey, orderKey, PENDING_KEY } from "../redis/keys.ts";
import { runCommand, script, scriptCommand } from "../redis/pipeline.ts";
import createOrderLua from "../scripts/create-order.lua" with { type: "text" };
import { findOrder } from "./find-order.ts";
import { claimKey, fingerprint, releaseClaim } from "./idempotency-record.ts";
import { type Prices, priceOrder } from "./price-order.ts";

const DAY_S = 86_400;

/** How long an Idempotency-Key is remembered: 24 hours. */
const IDEMPOTENCY_RETENTION_S = DAY_S;

const createOrderScript = script(createOrderLua);

/** The codes of `create-order.lua`, and its reply: a code and the pk of the order that there is. */
const CreateOrderCode = { created: 1, replayed: 2, reused: 3, inUse: 4 } as const;
const CreateOrderReply = z.tuple([z.enum(CreateOrderCode), z.string()]);

export interface Placing {
  readonly request: OrderRequest;
  /** The client's own key: a second placing with it gives the first order. */
  readonly idempotencyKey: string | undefined;
  /** To whom the key belongs; undefined where callers are not known: then all share one set of keys. */
  readonly caller?: Caller | undefined;
  /** The time, in ms since the epoch: that of the order, whatever the inventory takes after it. */
  readonly now: number;
}

export interface Placed {
  readonly order: Order;
  /** True when the Idempotency-Key had placed this order before. */
  readonly replayed: boolean;
}

/**
 * Stores an order that is due in 5 seconds and has its completion scheduled. The order is durable once stored: when no
 * schedule can be made, that is logged and counted, and the sweep completes the order.
 * @param inventory asked for the price of a new order; without it orders have none
 * @param orderRetentionDays how long the order is kept, a whole number of days; 0 keeps it for ever
 * @throws OrderError `idempotency_key_reused`, `idempotency_key_in_use`, and what `priceOf` throws: then this request has
 *   stored nothing, and with a key no other one was about to; `redis_failed`, `redis_replied_nonsense`: it may have
 */
export async function placeOrder(
  redis: Redis,
  timer: CompletionTimer,
  placing: Placing,
  inventory?: Inventory,
  orderRetentionDays = 0,
): Promise<Placed> {
  const { request, idempotencyKey, caller, now } = placing;
  const key = idempotencyKey === undefined ? undefined : idempotencyKeyKey(idempotencyKey, caller);
  const pk = ulid(now, randomDigit);
  if (inventory && key !== undefined) {
    // A replay has its price already, and may not depend on an inventory.
    const placed = await claimKey(redis, key, pk, request);
    if (placed !== undefined) return replay(redis, placed);
  }
  const prices = inventory && (await lookUpPrices(redis, inventory, request, key, pk));
  const order = newOrder(pk, request, now, prices);
  const due = now + COMPLETION_DELAY_MS;
  const [code, placed] = await createOrder(redis, order, due, orderRetentionDays * DAY_S, key, prices);
  if (code === CreateOrderCode.inUse) throw new OrderError("idempotency_key_in_use");
  if (code === CreateOrderCode.reused) throw new OrderError("idempotency_key_reused");
  if (code === CreateOrderCode.replayed) return replay(redis, placed);
  countMetric("OrdersCreated");
  logger.info("Order placed", { pk });
  await scheduleOrLeaveToSweep(timer, pk, due);
  return { order, replayed: false };
}

async function replay(redis: Redis, pk: string): Promise<Placed> {
  countMetric("OrdersReplayed");
  logger.info("Order was placed before with this Idempotency-Key", { pk });
  return { order: await findOrder(redis, pk), replayed: true };
}

/** Without a price no order is placed: then the key is free for the next request. */
async function lookUpPrices(
  redis: Redis,
  inventory: Inventory,
  { id, quantity }: OrderRequest,
  key: string | undefined,
  pk: string,
): Promise<Prices> {
  try {
    return priceOrder(await inventory.priceOf(id), quantity);
  } catch (error) {
    if (key !== undefined) await releaseClaim(redis, key, pk);
    throw error;
  }
}

function newOrder(pk: string, request: OrderRequest, now: number, prices: Prices | undefined): Order {
  return {
    pk,
    product_id: request.id,
    quantity: request.quantity,
    ...(prices && { price: Number(prices.price), fee: Number(prices.fee), total: Number(prices.total) }),
    status: "pending",
    created_at: new Date(now).toISOString(),
  };
}

/** For one of a ULID's 32 digits. The package's own source asks the kernel for each of 16, which takes 30 µs an order. */
const randomDigit = (): number => randomInt(32) / 32;

async function createOrder(
  redis: Redis,
  order: Order,
  due: number,
  retentionS: number,
  key: string | undefined,
  prices: Prices | undefined,
) {
  const keys = [orderKey(order.pk), PENDING_KEY];
  if (key !== undefined) keys.push(key);
  const { pk, product_id, quantity, created_at } = order;
  const same = fingerprint({ id: product_id, quantity });
  const args = [pk, product_id, quantity, created_at, due, same, IDEMPOTENCY_RETENTION_S, retentionS];
  if (prices) args.push(prices.price, prices.fee, prices.total);
  return runCommand(redis, scriptCommand(createOrderScript, CreateOrderReply, keys, args));
}

async function scheduleOrLeaveToSweep(timer: CompletionTimer, pk: string, due: number): Promise<void> {
  try {
    await timer.schedule(pk, due);
  } catch (error) {
    countMetric("ScheduleFailures");
    logger.error("No completion was scheduled: the sweep will complete this order", { pk, error });
  }
}
