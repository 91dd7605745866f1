import type { RequestListener } from "node:http";
import { describe, expect, test } from "vitest";
import { getOrderEvent, httpEvent, placeOrderEvent } from "../../lab/lambda-host/events.ts";
import type { ApiEvent } from "../../lib/http/api.ts";
import { atExpression } from "../../lib/integrations/completion-scheduler.ts";
import { setHandlerEnv, useFunctions } from "../support/functions.ts";
import { useInventory } from "../support/inventory.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/orders.ts";
import { expectProblem, expectRefusalLogged, refusal } from "../support/problems.ts";
import { useRedis } from "../support/redis.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

const TEA = { id: "tea-green", quantity: 2 };

const inBase64 = (body: string | Buffer): ApiEvent => ({
  ...placeOrderEvent(Buffer.from(body).toString("base64")),
  isBase64Encoded: true,
});

test("a placed order is answered with its fields and where it is read, and leaves one log line and a count", async () => {
  const before = Date.now();

  const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA));

  const { pk, created_at } = orderOf(reply);
  expect(reply).toEqual({
    statusCode: 200,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "retry-after": expect.stringMatching(/^[1-6]$/),
      location: `/orders/${pk}`,
    },
    body: { pk, product_id: "tea-green", quantity: 2, status: "pending", created_at },
  });
  expect(Date.parse(created_at)).toBeGreaterThanOrEqual(before);
  expect(Date.parse(created_at)).toBeLessThanOrEqual(Date.now());
  expect(log.logged).toEqual([expect.objectContaining({ level: "INFO", message: "Order placed", pk })]);
  expect(log.metrics).toEqual([expect.objectContaining({ OrdersCreated: 1, service: "orders" })]);
  // The script was not in Redis's cache, which is no error.
  expect(log.metrics[0]).not.toHaveProperty("RedisErrors");
  expect(log.text).not.toContain("tea-green");
});

test("a placed order has a one-time schedule that is never early and deletes itself", async () => {
  const { pk, created_at } = orderOf(await functions.invokeHttp("createOrder", placeOrderEvent(TEA)));

  expect(await functions.getSchedule(pk)).toMatchObject({
    Name: pk,
    GroupName: "orders-test-completions",
    ScheduleExpression: atExpression(Date.parse(created_at) + 5_000),
    ScheduleExpressionTimezone: "UTC",
    FlexibleTimeWindow: { Mode: "OFF" },
    ActionAfterCompletion: "DELETE",
    State: "ENABLED",
    Target: {
      Arn: process.env.SCHEDULE_TARGET_ARN,
      RoleArn: process.env.SCHEDULE_ROLE_ARN,
      Input: JSON.stringify({ pk }),
      RetryPolicy: { MaximumRetryAttempts: expect.any(Number), MaximumEventAgeInSeconds: expect.any(Number) },
      DeadLetterConfig: { Arn: process.env.SCHEDULE_DEAD_LETTER_ARN },
    },
  });
});

test("a replacement character that is an escape is part of the order", async () => {
  const order = orderOf(
    await functions.invokeHttp("createOrder", placeOrderEvent('{"id": "tea\\ufffd", "quantity": "2"}')),
  );

  expect(order).toMatchObject({ product_id: "tea\ufffd", quantity: 2 });
  expect(orderOf(await functions.invokeHttp("getOrder", getOrderEvent(order.pk)))).toEqual(order);
});

test("a body that API Gateway hands over in base64 is the same body", async () => {
  const reply = await functions.invokeHttp("createOrder", inBase64('{"id": "café ☕", "quantity": 2}'.padEnd(16_000)));

  expect(orderOf(reply)).toMatchObject({ product_id: "café ☕", quantity: 2 });
});

test("an Idempotency-Key gives its caller the same order again, however the request is written, and others another", async () => {
  const KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324";
  /** As the JWT authorizer of an HTTP API hands a request over. */
  const placeAs = (sub: string, body: unknown) => {
    const event = placeOrderEvent(body, { "idempotency-key": KEY });
    const authorizer = { jwt: { claims: { iss: "https://id.example.com/", sub }, scopes: null } };
    Object.assign(event.requestContext, { authorizer });
    return functions.invokeHttp("createOrder", event);
  };
  const first = await placeAs("anna", TEA);

  const again = await placeAs("anna", '{"quantity":"2",\n "id":"tea-green"}');
  const other = await placeAs("ben", { ...TEA, quantity: 3 });

  expect(first.headers).not.toHaveProperty("idempotent-replayed");
  const { "retry-after": _, ...headers } = first.headers;
  expect(again).toMatchObject({ ...first, headers: { ...headers, "idempotent-replayed": "true" } });
  expect(other.headers).not.toHaveProperty("idempotent-replayed");
  expect(other.body).toMatchObject({ quantity: 3 });
  expect(functions.scheduler.requests).toHaveLength(2);
  expect(log.metrics).toMatchObject([{ OrdersCreated: 1 }, { OrdersReplayed: 1 }, { OrdersCreated: 1 }]);
  expect(log.text).not.toContain(KEY);
});

test("with ORDER_RETENTION_DAYS an order expires that many days after it was placed, completed or not", async () => {
  setHandlerEnv("ORDER_RETENTION_DAYS", "30");
  const { pk } = orderOf(await functions.invokeHttp("createOrder", placeOrderEvent(TEA)));

  await functions.invokeJob("completeOrder", { pk });

  const ttl = await redis.client.ttl(`order:${pk}`);
  expect(ttl).toBeGreaterThan(30 * 86_400 - 60);
  expect(ttl).toBeLessThanOrEqual(30 * 86_400);
});

describe("what is refused:", () => {
  const refused = refusal(redis, functions, log);

  const TEXT = '{"id": "tea-green", "quantity": 2}';
  const withoutBody = Object.assign(placeOrderEvent(TEXT), { body: null });
  const withBytes = (...bytes: number[]) =>
    inBase64(Buffer.concat([Buffer.from('{"id": "'), Buffer.from(bytes), Buffer.from('", "quantity": 2}')]));

  test.for<[what: string, body: string | ApiEvent, status: number, problem: string, pointers?: string[]]>([
    ["an array", "[]", 422, "invalid-order", ["#"]],
    ["fields that are wrong", '{"id": 1, "quantity": 0, "x": 1}', 422, "invalid-order", ["#/id", "#/quantity", "#/x"]],
    [
      "a field __proto__, another, and no id",
      '{"quantity": 2, "__proto__": {}, "x": 1}',
      422,
      "invalid-order",
      ["#/id", "#/__proto__", "#/x"],
    ],
    ["thousands of levels", "[".repeat(8_000) + "]".repeat(8_000), 422, "invalid-order", ["#"]],
    ["an empty body", "", 400, "malformed-json"],
    ["no body, as serverless-offline hands it over", withoutBody, 400, "malformed-json"],
    ["text after the object", `${TEXT} x`, 400, "malformed-json"],
    ["a byte order mark", `\uFEFF${TEXT}`, 400, "malformed-json"],
    ["a byte order mark in base64", inBase64(`\uFEFF${TEXT}`), 400, "malformed-json"],
    ["an id with a Latin-1 é", withBytes(0xe9), 400, "malformed-json"],
    ["an id with a cut emoji", withBytes(0xf0, 0x9f, 0x98), 400, "malformed-json"],
    ["an id with an overlong slash", withBytes(0xc0, 0xaf), 400, "malformed-json"],
    ["an id with a surrogate", withBytes(0xed, 0xa0, 0x80), 400, "malformed-json"],
    ["the replacement character itself", '{"id": "\ufffd", "quantity": 2}', 400, "malformed-json"],
    ["an order and white space, 16,385 bytes", TEXT.padEnd(16_385), 413, "body-too-large"],
    ["the same in base64", inBase64(TEXT.padEnd(16_385)), 413, "body-too-large"],
    ["8,193 characters of two bytes", "é".repeat(8_193), 413, "body-too-large"],
  ])("%s", async ([, body, ...refusal]) => {
    await refused(typeof body === "string" ? placeOrderEvent(body) : body, ...refusal);
  });

  test.for<Record<string, string>>([
    {},
    { "content-type": "" },
    { "content-type": "text/plain" },
    { "content-type": "application/jsonx" },
    { "content-type": "application/vnd.orders+json" },
    { "content-type": "application/json, application/json" },
    { "content-type": "application/json; charset=iso-8859-1" },
    { "content-type": "application/json; charset=" },
    { "content-type": "application/json", "content-encoding": "gzip" },
    { "content-type": "application/json", "content-encoding": "identity, gzip" },
  ])("a body with the headers %o: 415, with the encodings that are accepted", async (headers) => {
    const event = httpEvent({ routeKey: "POST /orders", method: "POST", path: "/orders", headers, body: TEXT });

    await refused(event, 415, "unsupported-media-type");
    const { headers: replied } = await functions.invokeHttp("createOrder", event);
    if ("content-encoding" in headers) expect(replied).toMatchObject({ "accept-encoding": "identity" });
  });

  test.for<[Record<string, string>, string]>([
    [{ "content-type": "Application/JSON; charset=utf-8" }, TEXT],
    [{ "content-type": 'application/json ;charset="UTF-8"' }, TEXT],
    [{ "content-type": "application/json; charset=utf8; profile=x" }, TEXT],
    [{ "content-type": "application/json;" }, TEXT],
    [{ "content-encoding": "Identity" }, TEXT],
    [{ "content-encoding": "" }, TEXT],
    [{}, TEXT.padEnd(16_384)],
  ])("but not %o with a body such as %.40s", async ([headers, body]) => {
    orderOf(await functions.invokeHttp("createOrder", placeOrderEvent(body, headers)));
  });
});

describe("orders with a price", () => {
  const shop = useInventory();
  const functions = useFunctions(redis, shop);

  const KEY = { "idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324" };
  const PRODUCT = "a-product-that-no-line-may-name";
  const SECRET = "what-only-the-inventory-knows";
  const PRICES = { price: 19.9, fee: 7.96, total: 47.76 };

  const place = () => functions.invokeHttp("createOrder", placeOrderEvent({ id: PRODUCT, quantity: 2 }, KEY));

  test("an order has its price, fee and total, when it is placed, read, completed and announced", async () => {
    const reply = await place();

    const order = orderOf(reply);
    expect(reply.body).toMatchObject(PRICES);
    expect((await functions.invokeHttp("getOrder", getOrderEvent(order.pk))).body).toEqual(reply.body);
    expect(log.metrics).toContainEqual(
      expect.objectContaining({ InventoryLatency: expect.any(Number), OrdersCreated: 1 }),
    );

    await functions.invokeJob("completeOrder", { pk: order.pk });
    expect((await functions.invokeHttp("getOrder", getOrderEvent(order.pk))).body).toMatchObject({
      ...PRICES,
      status: "completed",
    });
    const [entry] = (await redis.client.xRange("order_completed", "-", "+")) ?? [];
    expect(entry?.message).toMatchObject({ pk: order.pk, price: "19.90", fee: "7.96", total: "47.76" });
  });

  test("a product that the inventory does not know is no error of the inventory", async () => {
    shop.answerWith((_request, response) => response.writeHead(404).end(SECRET));

    expectProblem(await place(), 422, "unknown-product", ["#/id"]);

    expectRefusalLogged(log, "unknown_product", 422, "POST /orders");
    expect(log.text).not.toContain(PRODUCT);
    expect(log.metrics[0]).not.toHaveProperty("InventoryErrors");
    expect(await redis.client.dbSize()).toBe(0);
  });

  test.for<[string, RequestListener, number, string]>([
    ["fails", (_request, response) => response.writeHead(500).end(SECRET), 502, "inventory-failed"],
    ["does not answer", () => undefined, 504, "inventory-timed-out"],
  ])(
    "while the inventory %s, nothing is stored or scheduled, and the log tells why",
    async ([, answer, status, type]) => {
      shop.answerWith(answer);

      const reply = await place();

      expectProblem(reply, status, type);
      expect(await redis.client.dbSize()).toBe(0);
      expect(functions.scheduler.requests).toEqual([]);
      const code = type.replaceAll("-", "_");
      expect(log.logged).toEqual([
        expect.objectContaining({ level: "ERROR", message: "Request failed", code, status, error: expect.anything() }),
      ]);
      expect(log.logged[0]).toMatchObject({ error: { cause: { message: expect.any(String) } } });
      expect(log.metrics).toEqual([
        expect.objectContaining({ InventoryErrors: 1, InventoryLatency: expect.anything() }),
      ]);
      for (const secret of [SECRET, PRODUCT]) expect(log.text + JSON.stringify(reply)).not.toContain(secret);
    },
  );
});
