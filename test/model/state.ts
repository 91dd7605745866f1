import { RESP_TYPES } from "redis";
import * as z from "zod";
import { idempotencyRedisKey } from "../../lib/orders/idempotency-key.ts";
import { pairs } from "../support/keyspace.ts";
import type { TestRedisClient } from "../support/redis.ts";
import type { Model, Order } from "./model.ts";
import type { Real } from "./real.ts";

/** Everything that the service keeps, in terms that both the model and Redis can be put into. Bytes are latin1. */
export interface State {
  readonly orders: Record<string, Record<string, string>>;
  readonly pending: Record<string, number>;
  readonly completed: [string, string][][];
  readonly requests: { readonly id: string; readonly fields: readonly string[] }[];
  readonly taken: readonly string[];
  readonly dead: (readonly string[])[];
  /** The pk that each idempotency key holds, and whether it is forgotten one day. */
  readonly keys: Record<string, { readonly pk: string; readonly expires: boolean }>;
  readonly scheduled: readonly string[];
}

const Text = z.instanceof(Buffer).transform((bytes) => bytes.toString("latin1"));
const Entries = z.array(z.tuple([Text, z.array(Text)]));
const RETENTION_S = 86_400;

/** No test runs so long that a key's remaining time falls below this. */
const LEAST_TTL_S = RETENTION_S - 3_600;

export function modelState(model: Model): State {
  return {
    orders: Object.fromEntries([...model.orders].map(([pk, order]) => [pk, texts(order)])),
    pending: Object.fromEntries(model.pending),
    completed: model.completed.map((order) => Object.entries(texts(order))),
    requests: model.requests.map(({ id, fields }) => ({ id, fields })),
    taken: model.requests.filter(({ takenAt }) => takenAt !== undefined).map(({ id }) => id),
    dead: model.dead.map(({ reason, firstId, at, fields }) => [
      ...["dead_reason", reason, "dead_id", firstId, "dead_at", at],
      ...fields,
    ]),
    keys: Object.fromEntries([...model.keys].map(([key, { pk }]) => [idempotencyRedisKey(key), { pk, expires: true }])),
    scheduled: [...model.orders.keys()],
  };
}

export async function realState(real: Real): Promise<State> {
  const { client } = real;
  const [orderKeys, idempotencyKeys] = await Promise.all([client.keys("order:*"), client.keys("idempotency:*")]);
  const [orders, keys, pending, completed, requests, dead, taken] = await Promise.all([
    Promise.all(orderKeys.map(async (key) => [key.slice("order:".length), await client.hGetAll(key)] as const)),
    Promise.all(idempotencyKeys.map(async (key) => [key, await idempotencyKey(client, key)] as const)),
    client.zRangeWithScores("orders:pending", 0, -1),
    entries(client, "order_completed"),
    entries(client, "refund_order"),
    entries(client, "refund_order:dead"),
    real.taken(),
  ]);
  return {
    orders: Object.fromEntries(orders.map(([pk, hash]) => [pk, { ...hash }])),
    pending: Object.fromEntries(pending.map(({ value, score }) => [value, score])),
    completed: completed.map(({ fields }) => pairs(fields)),
    requests,
    taken,
    dead: dead.map(({ fields }) => fields),
    keys: Object.fromEntries(keys),
    scheduled: [...real.scheduled],
  };
}

async function idempotencyKey(client: TestRedisClient, key: string) {
  const [value, ttl] = await Promise.all([client.get(key), client.ttl(key)]);
  return { pk: value?.split(":")[0] ?? "", expires: ttl > LEAST_TTL_S && ttl <= RETENTION_S };
}

async function entries(client: TestRedisClient, stream: string) {
  const raw = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  return Entries.parse(await raw.sendCommand(["XRANGE", stream, "-", "+"])).map(([id, fields]) => ({ id, fields }));
}

/** As Redis and the streams hold an order: flat strings, in the order in which they came about. */
function texts({ pk, product_id, quantity, price, fee, total, status, created_at, ...times }: Order) {
  const { completed_at, refunded_at } = times;
  return {
    ...{ pk, product_id, quantity: String(quantity) },
    ...decimals({ price, fee, total }),
    ...{ status, created_at },
    ...(completed_at !== undefined && { completed_at }),
    ...(refunded_at !== undefined && { refunded_at }),
  };
}

function decimals(amounts: Readonly<Record<string, number | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(amounts).flatMap(([name, amount]) => (amount === undefined ? [] : [[name, amount.toFixed(2)]])),
  );
}
