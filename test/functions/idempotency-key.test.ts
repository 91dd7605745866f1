import { describe, expect, test } from "vitest";
import { placeOrderEvent, useFunctions } from "../support/functions.ts";
import { dumpKeyspace } from "../support/keyspace.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/orders.ts";
import { expectProblem, expectRefusalLogged } from "../support/problems.ts";
import { useRedis } from "../support/redis.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

const TEA = { id: "tea-green", quantity: 2 };
const KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324";

const place = (body: unknown, key: string) =>
  functions.invokeHttp("createOrder", placeOrderEvent(body, { "idempotency-key": key }));

test("the first request with a key is not marked as replayed", async () => {
  const reply = await place(TEA, KEY);

  expect(reply.statusCode).toBe(200);
  expect(reply.headers).not.toHaveProperty("idempotent-replayed");
});

test("the same request again gives the same order and makes nothing new", async () => {
  // given
  const first = await place(TEA, KEY);
  const keys = (await redis.client.keys("*")).toSorted();
  const scheduled = functions.scheduler.requests.length;

  // when
  const second = await place(TEA, KEY);

  // then
  expect(second.body).toEqual(first.body);
  expect(second.headers).toEqual({ ...first.headers, "idempotent-replayed": "true" });
  expect((await redis.client.keys("*")).toSorted()).toEqual(keys);
  expect(await redis.client.zCard("orders:pending")).toBe(1);
  expect(scheduled).toBe(1);
  expect(functions.scheduler.requests).toHaveLength(scheduled);
  expect(log.metrics).toEqual([
    expect.objectContaining({ OrdersCreated: 1 }),
    expect.objectContaining({ OrdersReplayed: 1 }),
  ]);
  expect(log.text).not.toContain(KEY);
});

test("a replay shows the order in the state that it has by then", async () => {
  const { pk } = orderOf(await place(TEA, KEY));
  await functions.invokeJob("completeOrder", { pk });

  const replay = await place(TEA, KEY);

  expect(replay.headers).toMatchObject({ "idempotent-replayed": "true" });
  expect(orderOf(replay)).toMatchObject({ pk, status: "completed", completed_at: expect.any(String) });
});

test("a replay of an order that somebody deleted meanwhile is 404", async () => {
  const { pk } = orderOf(await place(TEA, KEY));
  await redis.client.del(`order:${pk}`);

  const replay = await place(TEA, KEY);

  expect(replay).toMatchObject({ statusCode: 404, body: { code: "order_not_found" } });
});

test.for<[string, string]>([
  ["other white space and order of the fields", '{"quantity":2,\n "id":"tea-green"}'],
  ["the quantity in digits", '{"id":"tea-green","quantity":"2"}'],
  ["escaped characters", '{"id":"\\u0074ea-green","quantity":2}'],
])("%s are the same request", async ([, body]) => {
  const { pk } = orderOf(await place(TEA, KEY));

  const reply = await place(body, KEY);

  expect(reply.headers).toMatchObject({ "idempotent-replayed": "true" });
  expect(orderOf(reply).pk).toBe(pk);
});

test.for([
  { id: "tea-green", quantity: 3 },
  { id: "tea-black", quantity: 2 },
])("the key with another order (%o) is refused with 422 and makes nothing", async (other) => {
  // given
  await functions.invokeHttp("createOrder", placeOrderEvent(TEA, { "idempotency-key": KEY }));
  const keys = (await redis.client.keys("*")).toSorted();
  const logged = log.logged.length;

  // when
  const reply = await place(other, KEY);

  // then
  expectProblem(reply, 422, "idempotency-key-reused");
  expect((await redis.client.keys("*")).toSorted()).toEqual(keys);
  expect(functions.scheduler.requests).toHaveLength(1);
  expect(log.logged.slice(logged)).toEqual([
    expect.objectContaining({ level: "WARN", code: "idempotency_key_reused", status: 422 }),
  ]);
});

test("the quoted and the bare form are the same key", async () => {
  const { pk } = orderOf(await place(TEA, KEY));

  const quoted = await place(TEA, `"${KEY}"`);

  expect(quoted.headers).toMatchObject({ "idempotent-replayed": "true" });
  expect(orderOf(quoted).pk).toBe(pk);
});

test("another key makes another order of the same request", async () => {
  const { pk } = orderOf(await place(TEA, KEY));

  const other = await place(TEA, KEY.toUpperCase());

  expect(orderOf(other).pk).not.toBe(pk);
  expect(await redis.client.zCard("orders:pending")).toBe(2);
});

describe("where API Gateway checks tokens, a key belongs to its caller:", () => {
  const ANNA = { iss: "https://id.example.com/", sub: "anna" };

  /** As the JWT authorizer of an HTTP API hands a request over. */
  function placeAs(claims: Readonly<Record<string, string>> | undefined, quantity = 2) {
    const event = placeOrderEvent({ ...TEA, quantity }, { "idempotency-key": KEY });
    const requestContext = { ...event.requestContext, authorizer: { jwt: { claims, scopes: null } } };
    return functions.invokeHttp("createOrder", { ...event, requestContext });
  }

  test.for([
    ["another subject", { ...ANNA, sub: "ben" }],
    ["the same subject of another issuer", { ...ANNA, iss: "https://other.example.com/" }],
    ["a token without a subject", { iss: ANNA.iss }],
    ["nobody", undefined],
  ] as const)("%s makes an order of its own with the same key", async ([, other]) => {
    const first = orderOf(await placeAs(ANNA));

    const second = await placeAs(other, 3);

    expect(second).toMatchObject({ statusCode: 200, body: { quantity: 3 } });
    expect(second.headers).not.toHaveProperty("idempotent-replayed");
    expect(orderOf(second).pk).not.toBe(first.pk);
  });

  test("the same caller gets the first order again, whatever else its token says", async () => {
    const first = orderOf(await placeAs({ ...ANNA, iat: "1763877600" }));

    const again = await placeAs({ ...ANNA, iat: "1763881200", scope: "orders" });

    expect(again.headers).toMatchObject({ "idempotent-replayed": "true" });
    expect(orderOf(again).pk).toBe(first.pk);
  });

  test("issuer and subject cannot be shifted into each other", async () => {
    await placeAs({ iss: "https://id.example.com/", sub: "a,b" });

    const other = await placeAs({ iss: "https://id.example.com/,a", sub: "b" });

    expect(other.headers).not.toHaveProperty("idempotent-replayed");
  });

  test("who the caller is is not in the store", async () => {
    await placeAs(ANNA);

    expect(JSON.stringify(await dumpKeyspace(redis.client))).not.toMatch(/anna|id\.example\.com/);
  });
});

test("requests with one key at one time make one order", async () => {
  const replies = await Promise.all(Array.from({ length: 8 }, () => place(TEA, KEY)));

  expect(new Set(replies.map((reply) => orderOf(reply).pk))).toHaveProperty("size", 1);
  expect(replies.filter(({ headers }) => !("idempotent-replayed" in headers))).toHaveLength(1);
  expect(await redis.client.keys("order:*")).toHaveLength(1);
});

test("the key is remembered for 24 hours, and only as a hash", async () => {
  await place(TEA, KEY);

  const [key = ""] = await redis.client.keys("idempotency:*");
  expect(key).toMatch(/^idempotency:[0-9a-f]{64}$/);
  expect(await redis.client.ttl(key)).toBeGreaterThan(86_000);
  expect(await redis.client.ttl(key)).toBeLessThanOrEqual(86_400);
});

describe("syntax", () => {
  const TEA = { id: "tea-green", quantity: 2 };
  const KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324";

  const place = (body: unknown, key: string) =>
    functions.invokeHttp("createOrder", placeOrderEvent(body, { "idempotency-key": key }));

  test.for<[string, string]>([
    ["16 characters", "k".repeat(16)],
    ["255 characters", "k".repeat(255)],
    ["16 characters in quotes", `"${"k".repeat(16)}"`],
    ["quoted spaces and commas", '"key, with a space and a comma"'],
    ["quoted escapes", '"key-\\"with\\\\escapes\\""'],
    ["quotes and a parameter", `"${KEY}";a=1`],
  ])("a key of %s is accepted", async ([, key]) => {
    expect(await place(TEA, key)).toMatchObject({ statusCode: 200 });
    expect(await place(TEA, key)).toMatchObject({ statusCode: 200, headers: { "idempotent-replayed": "true" } });
  });

  test.for<[string, string]>([
    ["empty", ""],
    ["15 characters", "k".repeat(15)],
    ["256 characters", "k".repeat(256)],
    ["empty quotes", '""'],
    ["15 characters in quotes", `"${"k".repeat(15)}"`],
    ["256 characters in quotes", `"${"k".repeat(256)}"`],
    ["two headers joined by a comma", `${KEY},${KEY}`],
    ["a space", "key with some spaces in it"],
    ["an open quote", `"${KEY}`],
    ["a quote inside", `${KEY}"`],
    ["an unknown escape", `"${KEY}\\n"`],
    ["a control character", `${KEY}\u0007`],
    ["characters beyond ASCII", "schlüssel-schlüssel"],
  ])("a key that is or has %s is refused with 400, and Redis is not asked", async ([, key]) => {
    const reply = await place(TEA, key);

    expectProblem(reply, 400, "invalid-idempotency-key");
    expectRefusalLogged(log, "invalid_idempotency_key", 400, "POST /orders");
    expect(functions.upstash.requests).toEqual([]);
    expect(functions.scheduler.requests).toEqual([]);
  });
});
