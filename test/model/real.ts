import { RESP_TYPES } from "@redis/client";
import type { Redis } from "@upstash/redis";
import * as z from "zod";
import { fillStream, makeRoom } from "../../lab/chaos/database.ts";
import { ServiceError } from "../../lib/errors.ts";
import { completeOrder } from "../../lib/orders/complete-orders.ts";
import { findOrder } from "../../lib/orders/find-order.ts";
import { idempotencyRedisKey } from "../../lib/orders/idempotency-key.ts";
import { placeOrder } from "../../lib/orders/place-order.ts";
import { sweepOrders } from "../../lib/orders/sweep-orders.ts";
import { type Command, runCommand } from "../../lib/redis/commands.ts";
import {
  DeadLetterCode,
  drainRefunds,
  keepDeadLettersCommand,
  NEW,
  RefundCode,
  type RefundRequest,
  type RefusedRequest,
  readRefundsCommand,
  refundRequest,
  settleRefundsCommand,
} from "../../lib/refunds/drain-refunds.ts";
import { replayDeadLetters } from "../../lib/refunds/replay-dead-letters.ts";
import type { HttpFront } from "../support/http-front.ts";
import { pairs } from "../support/keyspace.ts";
import { STREAM_MAX_LENGTH } from "../support/orders.ts";
import type { TestRedisClient } from "../support/redis.ts";
import { addRequest, GROUP, pendingIds } from "../support/refunds.ts";
import type { Fields, Model, Order, OwnStream, Request } from "./model.ts";

/** The poller's consumer, as it names itself. */
const CONSUMER = "drain-refunds";

/** Idle times are set in whole steps, so that what a busy machine adds never makes the difference. */
const IDLE_STEP_MS = 10_000;

const namesOf = (codes: Readonly<Record<string, number>>) =>
  new Map(Object.entries(codes).map(([name, code]) => [code, name]));

const REFUND_CODES = namesOf(RefundCode);
const DEAD_LETTER_CODES = namesOf(DeadLetterCode);

type Batch = readonly (RefundRequest | RefusedRequest)[];

const PLENTY_MS = () => 50_000;

/** The service on a real Redis, over the REST protocol; each method is what one invocation does. */
export class Real {
  readonly client: TestRedisClient;
  readonly #redis: Redis;
  readonly #front: HttpFront;
  /** What pollers took and did not settle, each beside what the model says they took. */
  readonly held: { readonly batch: Batch; readonly expected: readonly Request[] }[] = [];
  /** The orders for which a completion was scheduled. */
  readonly scheduled: string[] = [];

  constructor(client: TestRedisClient, redis: Redis, front: HttpFront) {
    this.client = client;
    this.#redis = redis;
    this.#front = front;
  }

  /** How often each request reaches Redis. Only the last reply reaches the client. */
  async sending<Result>(times: number, run: () => Promise<Result>): Promise<Result> {
    this.#front.answerWith(async (call) => {
      for (let lost = 1; lost < times; lost += 1) await call.forward();
      await call.answer(await call.forward());
    });
    try {
      return await run();
    } finally {
      this.#front.reset();
    }
  }

  /** @param price the inventory's unit price in cents; undefined without one */
  async place(id: string, quantity: number, key: string | undefined, price: number | undefined, now: number) {
    const inventory = price === undefined ? undefined : { priceOf: async () => price / 100 };
    const placing = { request: { id, quantity }, idempotencyKey: key, now };
    const schedule = async (pk: string) => {
      this.scheduled.push(pk);
    };
    try {
      return await placeOrder({ redis: this.#redis, scheduler: { schedule }, inventory, retentionDays: 0 }, placing);
    } catch (error) {
      if (error instanceof ServiceError && error.code === "idempotency_key_reused") return error.code;
      throw error;
    }
  }

  find(pk: string) {
    return findOrder(this.#redis, pk);
  }

  complete(pk: string, now: number): Promise<void> {
    return completeOrder({ redis: this.#redis, streamMaxLength: STREAM_MAX_LENGTH }, { pk }, now);
  }

  sweep(now: number): Promise<void> {
    return sweepOrders({
      redis: this.#redis,
      completion: "scheduler",
      streamMaxLength: STREAM_MAX_LENGTH,
      clock: () => now,
    });
  }

  requestRefund(fields: Fields): Promise<string> {
    return addRequest(
      this.client,
      fields.map((value) => Buffer.from(value, "latin1")),
    );
  }

  drain(now: number): Promise<void> {
    return drainRefunds(this.#redis, () => now, PLENTY_MS);
  }

  /** A poller that takes a batch and then does not go on, or not soon. */
  async take(): Promise<Batch> {
    const [entries] = await runCommand(this.#redis, readRefundsCommand(NEW));
    return entries.map(([id, pk]) => refundRequest(id, pk));
  }

  /** That poller settles the batch after all. Returns what happened to each request. */
  async settle(batch: Batch, now: number): Promise<Record<string, string | undefined>> {
    const requests = batch.filter((request) => "pk" in request);
    const refused = batch.filter((request) => "reason" in request);
    const outcomes =
      requests.length > 0 ? await this.#run(requests, REFUND_CODES, settleRefundsCommand(requests, now)) : {};
    for (const { id } of requests) if (outcomes[id] === "unknown") refused.push({ id, reason: "unknown_order" });
    if (refused.length === 0) return outcomes;
    return { ...outcomes, ...(await this.#run(refused, DEAD_LETTER_CODES, keepDeadLettersCommand(refused, now))) };
  }

  async #run(
    requests: readonly { readonly id: string }[],
    names: ReadonlyMap<number, string>,
    command: Command<readonly [readonly number[], ...unknown[]]>,
  ): Promise<Record<string, string | undefined>> {
    const [codes] = await runCommand(this.#redis, command);
    return Object.fromEntries(requests.map(({ id }, index) => [id, names.get(codes[index] ?? 0)]));
  }

  /** Puts back all dead letters, and returns the ids that they have on the stream of requests. */
  async replayDead(): Promise<string[]> {
    const ids = ((await this.client.xRange("refund_order:dead", "-", "+")) ?? []).map(({ id }) => id);
    if (ids.length > 0) await replayDeadLetters(this.#redis, ids);
    const requests = (await this.client.xRevRange("refund_order", "+", "-")) ?? [];
    return requests
      .slice(0, ids.length)
      .map(({ id }) => id)
      .reverse();
  }

  /** Makes each taken request as old as the model has it: Redis's own clock cannot be moved. */
  async age(model: Model): Promise<void> {
    const taken = model.requests.filter(({ takenAt }) => takenAt !== undefined);
    for (const request of taken) {
      const idle = String(Math.floor(model.idle(request) / IDLE_STEP_MS) * IDLE_STEP_MS);
      const claim = ["XCLAIM", "refund_order", GROUP, CONSUMER, "0", request.id, "IDLE", idle, "JUSTID"];
      await this.client.sendCommand(claim);
    }
  }

  /** What Redis does by itself at the end of a key's time. */
  async forgetKeys(keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.client.del(idempotencyRedisKey(key));
  }

  async fill(stream: OwnStream): Promise<void> {
    await fillStream(this.client, stream);
  }

  async makeRoom(stream: OwnStream): Promise<void> {
    await makeRoom(this.client, stream);
  }

  async loseScripts(): Promise<void> {
    await this.client.scriptFlush();
  }

  /** The requests that a poller took and did not settle. */
  async taken(): Promise<string[]> {
    const groupIsThere = (await this.client.exists("refund_order")) === 1;
    const groups = groupIsThere ? await this.client.xInfoGroups("refund_order") : [];
    return groups.length === 0 ? [] : pendingIds(this.client);
  }
}

/** Everything that the service keeps, in terms that both the model and Redis can be put into. Bytes are latin1. */
interface State {
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

/** No test runs long enough for a key's remaining time to fall below this. */
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
