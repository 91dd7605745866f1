import type { Redis } from "@upstash/redis";
import { ServiceError } from "../../lib/errors.ts";
import { completeOrder } from "../../lib/orders/complete-orders.ts";
import { findOrder } from "../../lib/orders/find-order.ts";
import { idempotencyRedisKey } from "../../lib/orders/idempotency-key.ts";
import { placeOrder } from "../../lib/orders/place-order.ts";
import { sweepOrders } from "../../lib/orders/sweep-orders.ts";
import { runCommand } from "../../lib/redis/commands.ts";
import { drainRefunds } from "../../lib/refunds/drain-refunds.ts";
import {
  RECLAIM,
  type RefundRequest,
  readRefundsCommand,
  refundBatch,
  SettlementCode,
  settleRefundsCommand,
} from "../../lib/refunds/refund-requests.ts";
import { replayDeadRefunds } from "../../lib/refunds/replay-dead-letters.ts";
import type { HttpFront } from "../support/http-front.ts";
import { STREAM_MAX_LENGTH } from "../support/orders.ts";
import type { TestRedisClient } from "../support/redis.ts";
import { addRequest, GROUP, pendingIds } from "../support/refunds.ts";
import type { Model, OwnStream } from "./model.ts";
import type { Fields, Request } from "./refund-request.ts";

/** The poller's consumer, as it names itself. */
const CONSUMER = "drain-refunds";

/** Idle times are set in whole steps, so that what a busy machine adds never makes the difference. */
const IDLE_STEP_MS = 10_000;

const NAMES = new Map<number, string>(Object.entries(SettlementCode).map(([name, code]) => [code, name]));

const PLENTY_MS = () => 50_000;

const HIGHEST_ID = "18446744073709551615-18446744073709551615";

/** The service on a real Redis, over the REST protocol; each method is what one invocation does. */
export class Real {
  readonly client: TestRedisClient;
  readonly #redis: Redis;
  readonly #front: HttpFront;
  /** What pollers took and did not settle, each beside what the model says they took. */
  readonly held: { readonly batch: readonly RefundRequest[]; readonly expected: readonly Request[] }[] = [];
  /** The orders for which a completion was scheduled. */
  readonly scheduled: string[] = [];

  constructor(client: TestRedisClient, redis: Redis, front: HttpFront) {
    this.client = client;
    this.#redis = redis;
    this.#front = front;
  }

  /** Has each request reach Redis so often, and only the last reply reach the client: the others were lost. */
  async sending<Result>(times: number, run: () => Promise<Result>): Promise<Result> {
    this.#front.answerWith(async (response, forward) => {
      for (let lost = 1; lost < times; lost += 1) await forward();
      const { status, headers, content } = await forward();
      response.writeHead(status, headers).end(content);
    });
    try {
      return await run();
    } finally {
      this.#front.reset();
    }
  }

  /** @param price what the inventory says that one piece costs, in cents; without it there is none */
  async place(id: string, quantity: number, key: string | undefined, price: number | undefined, now: number) {
    const inventory = price === undefined ? undefined : { priceOf: async () => price / 100 };
    const placing = { request: { id, quantity }, idempotencyKey: key, now };
    const schedule = async (pk: string) => {
      this.scheduled.push(pk);
    };
    try {
      return await placeOrder(this.#redis, { schedule }, placing, inventory);
    } catch (error) {
      if (error instanceof ServiceError && error.code === "idempotency_key_reused") return error.code;
      throw error;
    }
  }

  find(pk: string) {
    return findOrder(this.#redis, pk);
  }

  complete(pk: string, now: number): Promise<void> {
    return completeOrder(this.#redis, { pk }, now, STREAM_MAX_LENGTH);
  }

  sweep(now: number): Promise<void> {
    return sweepOrders(this.#redis, () => now, STREAM_MAX_LENGTH, PLENTY_MS);
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
  async take(): Promise<RefundRequest[]> {
    return [...refundBatch(await runCommand(this.#redis, readRefundsCommand(RECLAIM))).requests];
  }

  /** That poller settles the batch after all. */
  async settle(batch: readonly RefundRequest[], now: number): Promise<(string | undefined)[]> {
    const [codes] = await runCommand(this.#redis, settleRefundsCommand(batch, now));
    return codes.map((code) => NAMES.get(code));
  }

  /** Puts back all dead letters, and returns the ids that they have on the stream of requests. */
  async replayDead(): Promise<string[]> {
    const ids = ((await this.client.xRange("refund_order:dead", "-", "+")) ?? []).map(({ id }) => id);
    if (ids.length > 0) await replayDeadRefunds(this.#redis, ids);
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

  /** At its highest id a stream takes no entry, as a record at Upstash's limit. */
  async fill(stream: OwnStream): Promise<void> {
    await this.client.xGroupCreate(stream, "fault", "$", { MKSTREAM: true });
    await this.client.xGroupDestroy(stream, "fault");
    await this.client.sendCommand(["XSETID", stream, HIGHEST_ID]);
  }

  async makeRoom(stream: OwnStream): Promise<void> {
    const [newest] = (await this.client.xRevRange(stream, "+", "-", { COUNT: 1 })) ?? [];
    await this.client.sendCommand(["XSETID", stream, newest?.id ?? "0-0"]);
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
