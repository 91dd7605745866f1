import type { RequestListener } from "node:http";
import { describe, expect, test } from "vitest";
import { getOrderEvent, httpEvent, placeOrderEvent, setHandlerEnv, useFunctions } from "../support/functions.ts";
import { useInventory } from "../support/inventory.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/orders.ts";
import { expectProblem, expectRefusalLogged, refusal } from "../support/problems.ts";
import { useRedis } from "../support/redis.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

const TEA = { id: "tea-green", quantity: 2 };

test("a placed order is answered with its fields and where it is read", async () => {
  const before = Date.now();

  const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA));

  const { pk, created_at } = orderOf(reply);
  expect(reply).toEqual({
    statusCode: 200,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      location: `/orders/${pk}`,
    },
    body: { pk, product_id: "tea-green", quantity: 2, status: "pending", created_at },
  });
  expect(Date.parse(created_at)).toBeGreaterThanOrEqual(before);
  expect(Date.parse(created_at)).toBeLessThanOrEqual(Date.now());
});

test("a placed order has a one-time schedule that is never early and deletes itself", async () => {
  const { pk, created_at } = orderOf(await functions.invokeHttp("createOrder", placeOrderEvent(TEA)));

  const schedule = await functions.getSchedule(pk);
  expect(schedule).toMatchObject({
    Name: pk,
    GroupName: "orders-test-completions",
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
  const [, at = ""] = /^at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)$/.exec(schedule.ScheduleExpression ?? "") ?? [];
  const early = Date.parse(created_at) + 5_000 - Date.parse(`${at}Z`);
  expect(early).toBeLessThanOrEqual(0);
  expect(early).toBeGreaterThan(-1_000);
});

test("placing an order leaves one log line with its pk and counts it", async () => {
  const { pk } = orderOf(await functions.invokeHttp("createOrder", placeOrderEvent(TEA)));

  expect(log.logged).toEqual([expect.objectContaining({ level: "INFO", message: "Order placed", pk })]);
  expect(log.metrics).toEqual([expect.objectContaining({ OrdersCreated: 1, service: "orders" })]);
  // The script was not in Redis's cache, which is no error.
  expect(log.metrics[0]).not.toHaveProperty("RedisErrors");
  expect(log.text).not.toContain("tea-green");
});

test.for<[string, string, object]>([
  ["a quantity in digits", '{"id": "tea", "quantity": "2"}', { product_id: "tea", quantity: 2 }],
  [
    "an id of 128 characters beyond the basic plane",
    JSON.stringify({ id: "😀".repeat(128), quantity: 1 }),
    { product_id: "😀".repeat(128) },
  ],
  ["a replacement character that is an escape", '{"id": "tea\\ufffd", "quantity": 1}', { product_id: "tea\ufffd" }],
  [
    "a field that comes twice, of which the last counts",
    '{"id": "tea", "quantity": 0, "quantity": 2}',
    { quantity: 2 },
  ],
])("%s is accepted and read back as it was", async ([, body, fields]) => {
  const reply = await functions.invokeHttp("createOrder", placeOrderEvent(body));

  const order = orderOf(reply);
  expect(order).toMatchObject(fields);
  expect(orderOf(await functions.invokeHttp("getOrder", getOrderEvent(order.pk)))).toEqual(order);
});

test("a body that API Gateway hands over in base64 is the same body", async () => {
  const event = placeOrderEvent(Buffer.from(JSON.stringify({ id: "café ☕", quantity: 2 })).toString("base64"));

  const reply = await functions.invokeHttp("createOrder", { ...event, isBase64Encoded: true });

  expect(orderOf(reply)).toMatchObject({ product_id: "café ☕", quantity: 2 });
});

test("with ORDER_RETENTION_DAYS an order expires so many days after it was placed, completed or not", async () => {
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
  const MB_10 = 10 * 1024 * 1024;
  const withBytes = (...bytes: number[]) =>
    Buffer.concat([Buffer.from('{"id": "'), Buffer.from(bytes), Buffer.from('", "quantity": 2}')]);

  const BODIES: [what: string, body: string | Buffer, status: number, problem: string, pointers?: string[]][] = [
    ["an array", "[]", 422, "invalid-order", ["#"]],
    [
      "two fields wrong, one too many",
      '{"id": 1, "quantity": 0, "x": 1}',
      422,
      "invalid-order",
      ["#/id", "#/quantity", "#/x"],
    ],
    [
      "a quantity valid only the first time",
      '{"id": "tea", "quantity": 2, "quantity": 0}',
      422,
      "invalid-order",
      ["#/quantity"],
    ],
    ["an empty body", "", 400, "malformed-json"],
    ["text after the object", `${TEXT} x`, 400, "malformed-json"],
    ["a byte order mark", `\uFEFF${TEXT}`, 400, "malformed-json"],
    ["a form", "id=tea&quantity=2", 400, "malformed-json"],
    ["an id with a Latin-1 é", withBytes(0xe9), 400, "malformed-json"],
    ["an id with a cut emoji", withBytes(0xf0, 0x9f, 0x98), 400, "malformed-json"],
    ["an id with an overlong slash", withBytes(0xc0, 0xaf), 400, "malformed-json"],
    ["an id with a surrogate", withBytes(0xed, 0xa0, 0x80), 400, "malformed-json"],
    ["the replacement character itself", withBytes(0xef, 0xbf, 0xbd), 400, "malformed-json"],
    ["10 MB of an order", `{"id": "${"x".repeat(MB_10)}", "quantity": 2}`, 413, "body-too-large"],
    ["10,000 arrays in each other", "[".repeat(10_000) + "]".repeat(10_000), 413, "body-too-large"],
    ["an order and white space, 16,385 bytes", TEXT.padEnd(16_385), 413, "body-too-large"],
    ["8,193 characters of two bytes", "é".repeat(8_193), 413, "body-too-large"],
  ];

  test.for(BODIES)("%s, as text", async ([, body, ...refusal]) => {
    await refused(placeOrderEvent(body.toString()), ...refusal);
  });

  test.for(BODIES)("%s, in base64", async ([, body, ...refusal]) => {
    const event = placeOrderEvent(Buffer.from(body).toString("base64"));

    await refused({ ...event, isBase64Encoded: true }, ...refusal);
  });

  test("what is no base64", async () => {
    await refused({ ...placeOrderEvent("!!!!"), isBase64Encoded: true }, 400, "malformed-json");
  });

  test("a request without a body, as serverless-offline hands it over", async () => {
    await refused(Object.assign(placeOrderEvent(TEXT), { body: null }), 400, "malformed-json");
  });

  test.for([4_000, 8_000])(
    "%d arrays in each other, whether or not the parser's stack can hold them",
    async (levels) => {
      const reply = await functions.invokeHttp("createOrder", placeOrderEvent("[".repeat(levels) + "]".repeat(levels)));

      if (reply.statusCode === 400) expectProblem(reply, 400, "malformed-json");
      else expectProblem(reply, 422, "invalid-order", ["#"]);
      expect(functions.upstash.requests).toEqual([]);
      expect(log.logged).toHaveLength(1);
    },
  );

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
  ])("a body with the headers %o: 415, told which encoding is taken", async (headers) => {
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
    expect(await functions.invokeHttp("createOrder", placeOrderEvent(body, headers))).toMatchObject({
      statusCode: 200,
    });
  });
});

describe("orders with a price", () => {
  const redis = useRedis();
  const shop = useInventory();
  const functions = useFunctions(redis, shop);
  const log = useLogLines();

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

  describe("while the inventory", () => {
    test.for<[string, RequestListener, number, string]>([
      ["fails", (_request, response) => response.writeHead(500).end(SECRET), 502, "inventory-failed"],
      ["shows a page", (_request, response) => response.end(`<p>${SECRET}</p>`), 502, "inventory-failed"],
      ["does not answer", () => undefined, 504, "inventory-timed-out"],
    ])("%s, nothing is stored or scheduled, and the log tells why", async ([, answer, status, type]) => {
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
    });
  });
});
