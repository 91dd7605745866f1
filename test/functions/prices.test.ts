import type { RequestListener } from "node:http";
import { describe, expect, test } from "vitest";
import { useFunctions } from "../support/functions.ts";
import { getOrderEvent, placeOrderEvent } from "../support/http-event.ts";
import { useInventory } from "../support/inventory.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/order.ts";
import { expectProblem, expectRefusalLogged } from "../support/problems.ts";
import { useRedis } from "../support/redis.ts";

const redis = useRedis();
const shop = useInventory();
const functions = useFunctions(redis, shop);
const log = useLogLines();

const KEY = { "idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324" };
const PRODUCT = "a-product-that-no-line-may-name";
const SECRET = "what-only-the-inventory-knows";
const PRICES = { price: 19.9, fee: 7.96, total: 47.76 };

const place = (headers = {}) =>
  functions.invokeHttp("createOrder", placeOrderEvent({ id: PRODUCT, quantity: 2 }, headers));

test("an order has its price, fee and total, when it is placed, read, completed and announced", async () => {
  const reply = await place();

  const order = orderOf(reply);
  expect(reply.body).toMatchObject(PRICES);
  expect((await functions.invokeHttp("getOrder", getOrderEvent(order.pk))).body).toEqual(reply.body);

  await functions.invokeJob("completeOrder", { pk: order.pk });
  expect((await functions.invokeHttp("getOrder", getOrderEvent(order.pk))).body).toMatchObject({
    ...PRICES,
    status: "completed",
  });
  const [entry] = (await redis.client.xRange("order_completed", "-", "+")) ?? [];
  expect(entry?.message).toMatchObject({ pk: order.pk, price: "19.90", fee: "7.96", total: "47.76" });
});

test("a replay gives the first price and asks nothing, even while the inventory is down", async () => {
  const first = await place(KEY);
  shop.answerWith(({ socket }) => socket.resetAndDestroy());

  const again = await place(KEY);

  expect(again.body).toEqual(first.body);
  expect(again.headers).toMatchObject({ "idempotent-replayed": "true" });
  expect(shop.questions).toHaveLength(1);
});

test("another order with the key is refused and asks nothing", async () => {
  await place(KEY);

  const reply = await functions.invokeHttp("createOrder", placeOrderEvent({ id: PRODUCT, quantity: 3 }, KEY));

  expectProblem(reply, 422, "idempotency-key-reused");
  expect(shop.questions).toHaveLength(1);
});

test("a request whose key another one uses right now is told when to come again, and makes nothing", async () => {
  const { asked, answer } = shop.hold();
  const first = place(KEY);
  await asked;

  const reply = await place(KEY);

  expectProblem(reply, 409, "idempotency-key-in-use");
  expect(reply.headers).toMatchObject({ "retry-after": "2" });
  expectRefusalLogged(log, "idempotency_key_in_use", 409, "POST /orders");
  answer();
  const { pk } = orderOf(await first);
  expect(orderOf(await place(KEY)).pk).toBe(pk);
});

test("an order that is not valid asks nothing", async () => {
  await functions.invokeHttp("createOrder", placeOrderEvent({ id: "../admin", quantity: 2 }));

  expect(shop.questions).toEqual([]);
});

test("a question is measured and leaves no line", async () => {
  await place();

  expect(log.metrics).toEqual([expect.objectContaining({ InventoryLatency: expect.any(Number), OrdersCreated: 1 })]);
  expect(log.metrics[0]).not.toHaveProperty("InventoryErrors");
  expect(log.logged).toEqual([expect.objectContaining({ message: "Order placed" })]);
});

test("a product that the inventory does not know is refused by its name, and that is no error of the inventory", async () => {
  shop.answerWith((_request, response) => response.writeHead(404).end(SECRET));

  const reply = await place(KEY);

  expectProblem(reply, 422, "unknown-product", ["#/id"]);
  expect(reply.body).toMatchObject({ errors: [{ pointer: "#/id", detail: `no product has this id: ${PRODUCT}` }] });
  expectRefusalLogged(log, "unknown_product", 422, "POST /orders");
  expect(log.text).not.toContain(PRODUCT);
  expect(log.metrics[0]).not.toHaveProperty("InventoryErrors");
  expect(await redis.client.dbSize()).toBe(0);
});

describe("while the inventory", () => {
  const tea = (fields: object) => JSON.stringify({ pk: PRODUCT, name: SECRET, price: 19.9, quantity: 5, ...fields });

  test.for<[string, RequestListener, number, string, number]>([
    ["fails", (_request, response) => response.writeHead(500).end(SECRET), 502, "inventory-failed", 1],
    ["breaks off", ({ socket }) => socket.resetAndDestroy(), 502, "inventory-failed", 2],
    ["shows a page", (_request, response) => response.end(`<p>${SECRET}</p>`), 502, "inventory-failed", 1],
    ["names another product", (_, response) => response.end(tea({ pk: SECRET })), 502, "inventory-failed", 1],
    ["has a price in quotes", (_, response) => response.end(tea({ price: "19.90" })), 502, "inventory-failed", 1],
    ["does not answer", () => undefined, 504, "inventory-timed-out", 1],
    ["does not end its answer", (_request, response) => response.write(tea({})), 504, "inventory-timed-out", 1],
  ])("%s, nothing is stored or scheduled, and the log tells why", async ([, answer, status, type, errors]) => {
    shop.answerWith(answer);

    const reply = await place(KEY);

    expectProblem(reply, status, type);
    expect(await redis.client.dbSize()).toBe(0);
    expect(functions.scheduler.requests).toEqual([]);
    const code = type.replaceAll("-", "_");
    expect(log.logged).toEqual([
      expect.objectContaining({ level: "ERROR", message: "Request failed", code, status, error: expect.anything() }),
    ]);
    expect(log.logged[0]).toMatchObject({ error: { cause: { message: expect.any(String) } } });
    expect(log.metrics).toEqual([
      expect.objectContaining({ InventoryErrors: errors === 1 ? 1 : [1, 1], InventoryLatency: expect.anything() }),
    ]);
    for (const secret of [SECRET, PRODUCT]) expect(log.text + JSON.stringify(reply)).not.toContain(secret);
  });
});
