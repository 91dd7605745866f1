import { expect, test, vi } from "vitest";
import { useFunctions } from "../support/functions.ts";
import { getOrderEvent, placeOrderEvent } from "../support/http-event.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/order.ts";
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

test("what the schedule hands over when it fires completes the order", async () => {
  // given
  const { pk } = orderOf(await functions.invokeHttp("createOrder", placeOrderEvent(TEA)));
  const fired = () => functions.lambda.invocations.find(({ payload }) => payload.includes(pk));

  // when
  const invocation = await vi.waitUntil(fired, { timeout: 25_000, interval: 50 });
  await functions.invokeJob("completeOrder", JSON.parse(invocation.payload));

  // then
  expect(orderOf(await functions.invokeHttp("getOrder", getOrderEvent(pk)))).toMatchObject({ pk, status: "completed" });
});

test("placing an order leaves one log line with its pk and counts it", async () => {
  const { pk } = orderOf(await functions.invokeHttp("createOrder", placeOrderEvent(TEA)));

  expect(log.logged).toEqual([expect.objectContaining({ level: "INFO", message: "Order placed", pk })]);
  expect(log.metrics).toEqual([expect.objectContaining({ OrdersCreated: 1, service: "orders" })]);
  expect(log.text).not.toContain("tea-green");
});

test.for<[string, string, object]>([
  ["a quantity in digits", '{"id": "tea", "quantity": "2"}', { product_id: "tea", quantity: 2 }],
  ["a quantity with an empty fraction", '{"id": "tea", "quantity": 2.0}', { quantity: 2 }],
  ["the largest quantity", '{"id": "tea", "quantity": 1000000}', { quantity: 1_000_000 }],
  ["an id of digits, which stays text", '{"id": "0123", "quantity": 1}', { product_id: "0123" }],
  ["an id of one character", '{"id": "x", "quantity": 1}', { product_id: "x" }],
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

test.for(["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"])(
  "a body is taken as %s",
  async (contentType) => {
    const reply = await functions.invokeHttp("createOrder", placeOrderEvent(TEA, { "content-type": contentType }));

    expect(orderOf(reply)).toMatchObject({ product_id: "tea-green" });
  },
);

test("a body that API Gateway hands over in base64 is the same body", async () => {
  const event = placeOrderEvent(Buffer.from(JSON.stringify({ id: "café ☕", quantity: 2 })).toString("base64"));

  const reply = await functions.invokeHttp("createOrder", { ...event, isBase64Encoded: true });

  expect(orderOf(reply)).toMatchObject({ product_id: "café ☕", quantity: 2 });
});
