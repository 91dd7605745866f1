import { randomUUID } from "node:crypto";
import { ulid } from "ulid";
import type { Order } from "../../lib/order.ts";
import type { OrderRequest } from "../../lib/order-request.ts";
import { COMPLETED_STREAM, DEAD_REFUND_STREAM } from "../../lib/redis/keys.ts";
import { Failure } from "../failure.ts";
import type { OrderService } from "../order-service.ts";
import { latch } from "./latch.ts";
import type { Poller } from "./poller.ts";
import { type Row, type Show, table } from "./show.ts";
import type { Entry, Streams } from "./streams.ts";
import { type Journey, orderWay, pollerWay, unknownOrderWay } from "./ways.ts";

const PRODUCTS = ["tea-green", "tea-black", "coffee", "cocoa", "rooibos"];

export interface Cast {
  readonly service: OrderService;
  readonly streams: Streams;
  readonly poller: Poller;
  readonly show: Show;
}

export interface Plan {
  readonly orders: number;
  /** How long an order may take from one state to the next. */
  readonly timeoutMs: number;
}

/**
 * Places orders, shows the way of each from pending to completed to refunded, then what is on the streams.
 * @throws Failure that names everything that stayed behind, or says why it could not begin
 */
export async function tellStory({ service, streams, poller, show }: Cast, { orders, timeoutMs }: Plan): Promise<void> {
  const started = performance.now();
  await service.assertRunning();
  const [lastCompleted, lastDead] = [await streams.lastId(COMPLETED_STREAM), await streams.lastId(DEAD_REFUND_STREAM)];
  const placed = await placeOrders(service, show, orders);

  const journey: Journey = { service, streams, timeoutMs, refundsAsked: latch(orders + 1) };
  const unknownPk = ulid();
  const failures = await travel(show, [
    ...placed.map((order) => orderWay(journey, order)),
    unknownOrderWay(journey, unknownPk),
    pollerWay(journey, poller),
  ]);

  const completed = ofOrders(await streams.entriesAfter(COMPLETED_STREAM, lastCompleted), placed);
  const dead = ofOrders(await streams.entriesAfter(DEAD_REFUND_STREAM, lastDead), [{ pk: unknownPk }]);
  show.line(`\nOn ${COMPLETED_STREAM}, of these orders:\n`);
  show.line(table(["id", "pk", "product_id", "quantity", "status"], completed));
  show.line(`\nOn ${DEAD_REFUND_STREAM}, of this run:\n`);
  show.line(table(["id", "pk", "dead_reason", "dead_id"], dead));

  const reasons = failures.length > 0 ? failures : unannounced(placed, completed);
  if (reasons.length > 0) throw new Failure(`Something stayed behind: ${reasons.join("; ")}`);
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  const totals = `${orders} placed, 1 replayed, ${completed.length} completed, ${orders} refunded, ${dead.length} dead letter`;
  show.line(`
Total: ${totals}, in ${seconds} s`);
}

async function placeOrders(service: OrderService, show: Show, count: number): Promise<Order[]> {
  const placed: Order[] = [];
  const keys = Array.from({ length: count }, () => randomUUID());
  for (const [index, key] of keys.entries()) {
    const { order } = await service.place(orderRequest(index), key);
    placed.push(order);
    if (index > 0) continue;
    const again = await service.place(orderRequest(index), key);
    if (!again.replayed || again.order.pk !== order.pk) {
      throw new Failure(`The Idempotency-Key that made order ${order.pk} made another one, ${again.order.pk}`);
    }
    show.line(`Order ${order.pk} posted again with its Idempotency-Key: replayed\n`);
  }
  return placed;
}

function orderRequest(index: number): OrderRequest {
  return { id: PRODUCTS[index % PRODUCTS.length] ?? "tea", quantity: 1 + index };
}

/** @returns what kept rows from their end, in words */
async function travel(show: Show, rows: readonly Row[]): Promise<string[]> {
  const failures: string[] = [];
  const noting = (row: Row): Row => ({
    ...row,
    work: async (say) => {
      try {
        await row.work(say);
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
        throw error;
      }
    },
  });
  await show.rows(rows.map(noting));
  return failures;
}

function ofOrders(entries: readonly Entry[], orders: readonly { readonly pk: string }[]): Entry[] {
  const pks = new Set<string | undefined>(orders.map(({ pk }) => pk));
  return entries.filter(({ pk }) => pks.has(pk));
}

/** Every order has exactly one entry on the stream of completed orders. */
function unannounced(orders: readonly Order[], completed: readonly Entry[]): string[] {
  return orders.flatMap(({ pk }) => {
    const count = completed.filter((entry) => entry.pk === pk).length;
    return count === 1 ? [] : [`order ${pk} has ${count} entries on ${COMPLETED_STREAM}`];
  });
}
