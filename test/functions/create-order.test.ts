import type { RequestListener } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { getOrderEvent, httpEvent, placeOrderEvent, useFunctions } from "../support/functions.ts";
import { useInventory } from "../support/inventory.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf, requestRefund } from "../support/orders.ts";
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

test("a placed order is stored with its completion owed 5 seconds later, and nothing else", async () => {
  const { pk, created_at } = orderOf(await functions.invokeHttp("createOrder", placeOrderEvent(TEA)));

  expect(await redis.client.keys("*")).toHaveLength(2);
  expect({ ...(await redis.client.hGetAll(`order:${pk}`)) }).toEqual({
    pk,
    product_id: "tea-green",
    quantity: "2",
    status: "pending",
    created_at,
  });
  expect(await redis.client.zRangeWithScores("orders:pending", 0, -1)).toEqual([
    { value: pk, score: Date.parse(created_at) + 5_000 },
  ]);
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
  ["an id of digits, which stays text", '{"id": "0123", "quantity": 1}', { product_id: "0123" }],
  [
    "an id of 128 characters beyond the basic plane",
    JSON.stringify({ id: "😀".repeat(128), quantity: 1 }),
    { product_id: "😀".repeat(128) },
  ],
  [
    "an id with slashes, dots and quotes",
    '{"id": "a/b.c..d\\"\'%2e", "quantity": 1}',
    { product_id: "a/b.c..d\"'%2e" },
  ],
  [
    "a field that comes twice, of which the last counts",
    '{"id": "tea", "quantity": 0, "quantity": 2}',
    { quantity: 2 },
  ],
  ["white space around the JSON", ' \r\n{"id": "tea", "quantity": 2}\n', { quantity: 2 }],
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

describe("orders that are not valid", () => {
  const refused = refusal(redis, functions, log);

  const TEA = '{"id": "tea-green", "quantity": 2}';
  const base64 = (text: string) => Buffer.from(text).toString("base64");

  test.for<[string, string]>([
    ["an array", "[]"],
    ["null", "null"],
    ["a string", '"tea"'],
    ["base64 as a JSON string", JSON.stringify(base64(TEA))],
  ])("%s is no order: 422, told of the whole body", async ([, body]) => {
    await refused(placeOrderEvent(body), 422, "invalid-order", ["#"]);
  });

  test.for<[string, string, string[]]>([
    ["an empty object", "{}", ["#/id", "#/quantity"]],
    ["two fields too many", '{"id": "tea", "quantity": 2, "pk": "x", "status": "completed"}', ["#/pk", "#/status"]],
    ["a field with slash, tilde and space", '{"id": "tea", "quantity": 2, "a/b~ c": 1}', ["#/a~1b~0%20c"]],
    ["both fields wrong and one too many", '{"id": 1, "quantity": 0, "x": 1}', ["#/id", "#/quantity", "#/x"]],
    ["a field constructor", '{"id": "tea", "quantity": 2, "constructor": 1}', ["#/constructor"]],
    ["a quantity that is valid only the first time", '{"id": "tea", "quantity": 2, "quantity": 0}', ["#/quantity"]],
  ])("%s: 422, told of each field", async ([, body, pointers]) => {
    await refused(placeOrderEvent(body), 422, "invalid-order", pointers);
  });
});

describe("bodies that are not JSON", () => {
  const refused = refusal(redis, functions, log);

  const TEA = '{"id": "tea-green", "quantity": 2}';
  const base64 = (text: string) => Buffer.from(text).toString("base64");

  test.for<[string, string]>([
    ["an empty body", ""],
    ["a word", "tea"],
    ["text after the object", `${TEA} x`],
    ["a byte order mark", `\uFEFF${TEA}`],
    ["a form", "id=tea&quantity=2"],
    ["base64 as text", base64(TEA)],
  ])("%s is not JSON: 400", async ([, body]) => {
    await refused(placeOrderEvent(body), 400, "malformed-json");
  });

  test.for<[string, string]>([
    ["that is no JSON", base64("tea")],
    ["that is no base64", "!!!!"],
    ["with a byte order mark", base64(`\uFEFF${TEA}`)],
  ])("a body in base64 %s: 400", async ([, body]) => {
    await refused({ ...placeOrderEvent(body), isBase64Encoded: true }, 400, "malformed-json");
  });

  const UNTELLABLE: [string, Uint8Array][] = [
    ["a Latin-1 é", Uint8Array.of(0xe9)],
    ["a byte that UTF-8 never has", Uint8Array.of(0xff)],
    ["a cut emoji", Buffer.from("😀").subarray(0, 3)],
    ["an overlong slash", Uint8Array.of(0xc0, 0xaf)],
    ["a surrogate", Uint8Array.of(0xed, 0xa0, 0x80)],
    ["the replacement character itself", Buffer.from("\ufffd")],
  ];

  describe("a product id with bytes that are not valid UTF-8, or look like it to the function, is refused with 400:", () => {
    const orderWith = (bytes: Uint8Array) =>
      Buffer.concat([Buffer.from('{"id": "'), bytes, Buffer.from('", "quantity": 2}')]);

    test.for(UNTELLABLE)("%s, decoded by API Gateway", async ([, bytes]) => {
      await refused(placeOrderEvent(orderWith(bytes).toString()), 400, "malformed-json");
    });

    test.for(UNTELLABLE)("%s, in base64", async ([, bytes]) => {
      const event = placeOrderEvent(orderWith(bytes).toString("base64"));

      await refused({ ...event, isBase64Encoded: true }, 400, "malformed-json");
    });
  });

  test("a replacement character that is written as an escape is taken", async () => {
    const reply = await functions.invokeHttp("createOrder", placeOrderEvent('{"id": "tea\\ufffd", "quantity": 2}'));

    expect(reply).toMatchObject({ statusCode: 200, body: { product_id: "tea\ufffd" } });
  });

  test("a request without a body, as serverless-offline hands it over: 400", async () => {
    await refused(Object.assign(placeOrderEvent(TEA), { body: null }), 400, "malformed-json");
  });

  test.for<string | undefined>([
    undefined,
    "",
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/jsonx",
    "application/vnd.orders+json",
    "application/json, application/json",
    "application/json; charset=iso-8859-1",
    'application/json; charset="UTF-16"',
    "application/json; charset=",
  ])("the content type %o: 415", async (contentType) => {
    const event = httpEvent({
      routeKey: "POST /orders",
      method: "POST",
      path: "/orders",
      headers: contentType === undefined ? {} : { "content-type": contentType },
      body: TEA,
    });

    await refused(event, 415, "unsupported-media-type");
  });

  test.for(["gzip", "br", "identity, gzip", "utf-8"])(
    "the content encoding %o: 415, told which is taken",
    async (coding) => {
      const event = placeOrderEvent(TEA, { "content-encoding": coding });

      await refused(event, 415, "unsupported-media-type");
      expect(await functions.invokeHttp("createOrder", event)).toMatchObject({
        headers: { "accept-encoding": "identity" },
      });
    },
  );

  test.for(["identity", "Identity", ""])("the content encoding %o is taken: it means none", async (coding) => {
    const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA, { "content-encoding": coding }));

    expect(reply.statusCode).toBe(200);
  });

  test.for([
    "application/json",
    "Application/JSON; charset=utf-8",
    "application/json ;charset=utf-8",
    'application/json; charset="UTF-8"',
    "application/json; charset=utf8; profile=x",
    "application/json;",
  ])("the content type %o is taken", async (contentType) => {
    const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA, { "content-type": contentType }));

    expect(reply.statusCode).toBe(200);
  });

  test.for([4_000, 8_000])(
    "%d arrays in each other are refused, whether or not the parser's stack can hold them",
    async (levels) => {
      const reply = await functions.invokeHttp("createOrder", placeOrderEvent("[".repeat(levels) + "]".repeat(levels)));

      if (reply.statusCode === 400) expectProblem(reply, 400, "malformed-json");
      else expectProblem(reply, 422, "invalid-order", ["#"]);
      expect(functions.upstash.requests).toEqual([]);
      expect(log.logged).toHaveLength(1);
    },
  );

  test.for<[string, string]>([
    ["10 MB of an order", `{"id": "${"x".repeat(10 * 1024 * 1024)}", "quantity": 2}`],
    ["10,000 arrays in each other", "[".repeat(10_000) + "]".repeat(10_000)],
    ["an order and white space, 16,385 bytes", TEA.padEnd(16_385)],
    ["8,193 characters of two bytes", "é".repeat(8_193)],
  ])("%s: 413", async ([, body]) => {
    await refused(placeOrderEvent(body), 413, "body-too-large");
  });

  test("10 MB in base64: 413", async () => {
    const event = placeOrderEvent(base64(`{"id": "${"x".repeat(10 * 1024 * 1024)}", "quantity": 2}`));

    await refused({ ...event, isBase64Encoded: true }, 413, "body-too-large");
  });

  test("an order and white space of 16,384 bytes is not too large", async () => {
    const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA.padEnd(16_384)));

    expect(reply.statusCode).toBe(200);
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
    test.for<[string, RequestListener, number, string]>([
      ["fails", (_request, response) => response.writeHead(500).end(SECRET), 502, "inventory-failed"],
      ["shows a page", (_request, response) => response.end(`<p>${SECRET}</p>`), 502, "inventory-failed"],
      ["does not answer", () => undefined, 504, "inventory-timed-out"],
    ])("%s, nothing is stored or scheduled, and the log tells why", async ([, answer, status, type]) => {
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
        expect.objectContaining({ InventoryErrors: 1, InventoryLatency: expect.anything() }),
      ]);
      for (const secret of [SECRET, PRODUCT]) expect(log.text + JSON.stringify(reply)).not.toContain(secret);
    });
  });
});

describe("orders that expire", () => {
  beforeAll(() => {
    process.env.ORDER_RETENTION_DAYS = "30";
  });
  afterAll(() => {
    delete process.env.ORDER_RETENTION_DAYS;
  });
  const functions = useFunctions(redis);

  test("an order expires 30 days after it was placed, completed or not; then it is 404, and a refund of it a dead letter", async () => {
    const { pk } = orderOf(
      await functions.invokeHttp("createOrder", placeOrderEvent({ id: "tea-green", quantity: 2 })),
    );
    await functions.invokeJob("completeOrder", { pk });

    const ttl = await redis.client.ttl(`order:${pk}`);
    expect(ttl).toBeGreaterThan(30 * 86_400 - 60);
    expect(ttl).toBeLessThanOrEqual(30 * 86_400);

    await redis.client.pExpire(`order:${pk}`, 0);
    expectProblem(await functions.invokeHttp("getOrder", getOrderEvent(pk)), 404, "order-not-found");
    await requestRefund(redis.client, pk);
    await functions.invokeJob("drainRefunds", {});
    const letters = (await redis.client.xRange("refund_order:dead", "-", "+")) ?? [];
    expect(letters.map(({ message }) => message)).toEqual([
      expect.objectContaining({ dead_reason: "unknown_order", pk }),
    ]);
  });
});
