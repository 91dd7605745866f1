import { randomUUID } from "node:crypto";
import { Redis } from "@upstash/redis";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { Order } from "../../lib/orders/order.ts";
import { COMPLETED_STREAM, REFUND_STREAM } from "../../lib/redis/keys.ts";
import { fetchDocumented } from "../support/contract.ts";
import { runPoller, sharedService, urlOf } from "./service.ts";

/** On a machine so busy that a completion takes longer than its function may, the sweep completes the order, up to 2 minutes late. */
const COMPLETION_WAIT = { timeout: 180_000, interval: 100 };
const PATIENCE_MS = 400_000;

const service = sharedService();
const redis = new Redis({
  url: urlOf(service, "UPSTASH"),
  token: "local",
  automaticDeserialization: false,
  enableTelemetry: false,
});

/** Places an order as the documents tell clients to: with a key, and again with the same one after a 500. */
async function place(quantity: unknown): Promise<Order> {
  const idempotencyKey = randomUUID();
  const send = () =>
    fetchDocumented(`${service.api}/orders`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": idempotencyKey },
      body: JSON.stringify({ id: "tea-green", quantity }),
    });
  const reply = await vi.waitUntil(async () => {
    const sent = await send();
    return sent.status < 500 && sent;
  }, COMPLETION_WAIT);
  expect(reply.status).toBe(200);
  return Order.parse(await reply.json());
}

async function read(pk: string): Promise<Order> {
  return Order.parse(await (await fetchDocumented(`${service.api}/orders/${pk}`)).json());
}

/** Other tests use the streams meanwhile. */
async function entriesOf(pk: string, stream: string): Promise<unknown[]> {
  const entries = z.array(z.tuple([z.string(), z.array(z.string())])).parse(await redis.xrange(stream, "-", "+"));
  return entries.filter(([, fields]) => fields.includes(pk));
}

test("a consumer that creates its group without MKSTREAM can start before the first order", async () => {
  expect(await redis.xgroup(COMPLETED_STREAM, { type: "CREATE", group: "early", id: "$" })).toBe("OK");
});

test("an order is pending, completes by itself after 5 seconds and never before, and is refunded when asked", {
  timeout: PATIENCE_MS,
}, async () => {
  // when
  const placed = await place("2");
  // then
  expect(await read(placed.pk)).toEqual({ ...placed, quantity: 2, status: "pending" });

  // when its time has come
  await expect.poll(async () => (await read(placed.pk)).status, COMPLETION_WAIT).toBe("completed");
  // then
  const completed = await read(placed.pk);
  const waited = Date.parse(completed.completed_at ?? "") - Date.parse(placed.created_at);
  expect(waited).toBeGreaterThanOrEqual(5_000);
  const { refunded_at, ...announced } = completed;
  expect(refunded_at).toBeUndefined();
  const fields = Object.entries({ ...announced, quantity: "2" }).flat();
  expect(await entriesOf(placed.pk, COMPLETED_STREAM)).toEqual([[expect.any(String), expect.arrayContaining(fields)]]);

  // when another service asks for a refund
  await redis.xadd(REFUND_STREAM, "*", { pk: placed.pk, reason: "arrived broken" });
  await runPoller(service);
  // then
  expect(await read(placed.pk)).toMatchObject({ ...completed, status: "refunded", refunded_at: expect.any(String) });
  expect(await entriesOf(placed.pk, REFUND_STREAM)).toEqual([]);
});

test("orders placed at once all complete", { timeout: PATIENCE_MS }, async () => {
  // given
  const orders = await Promise.all(Array.from({ length: 25 }, (_, index) => place(index + 1)));
  // then
  for (const { pk } of orders) {
    await expect.poll(async () => (await read(pk)).status, COMPLETION_WAIT).toBe("completed");
  }
});

test.for([{}, { "content-type": "json" }])("a body with the headers %o is refused", async (headers) => {
  const reply = await fetchDocumented(`${service.api}/orders`, {
    method: "POST",
    headers,
    body: Buffer.from('{"id":"a","quantity":1}'),
  });
  expect(reply.status).toBe(415);
});

test("where no origin is configured, no page of another origin may read a reply", async () => {
  const reply = await fetch(`${service.api}/orders/none`, { headers: { origin: "https://shop.example.com" } });
  expect(reply.status).toBe(404);
  expect([...reply.headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
});
