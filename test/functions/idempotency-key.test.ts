import { describe, expect, test } from "vitest";
import { placeOrderEvent, useFunctions } from "../support/functions.ts";
import { dumpKeyspace } from "../support/keyspace.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/orders.ts";
import { useRedis } from "../support/redis.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

const TEA = { id: "tea-green", quantity: 2 };
const KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324";

const place = (body: unknown, key: string) =>
  functions.invokeHttp("createOrder", placeOrderEvent(body, { "idempotency-key": key }));

test("the same request again gives the same order and makes nothing new", async () => {
  // given
  const first = await place(TEA, KEY);
  const keys = (await redis.client.keys("*")).toSorted();

  // when
  const second = await place(TEA, KEY);

  // then
  expect(first.headers).not.toHaveProperty("idempotent-replayed");
  expect(second.body).toEqual(first.body);
  expect(second.headers).toEqual({ ...first.headers, "idempotent-replayed": "true" });
  expect((await redis.client.keys("*")).toSorted()).toEqual(keys);
  expect(await redis.client.zCard("orders:pending")).toBe(1);
  expect(functions.scheduler.requests).toHaveLength(1);
  expect(log.metrics).toEqual([
    expect.objectContaining({ OrdersCreated: 1 }),
    expect.objectContaining({ OrdersReplayed: 1 }),
  ]);
  expect(log.text).not.toContain(KEY);
});

test.for<[string, string]>([
  ["other white space and order of the fields", '{"quantity":2,\n "id":"tea-green"}'],
  ["the quantity in digits", '{"id":"tea-green","quantity":"2"}'],
])("%s are the same request", async ([, body]) => {
  const { pk } = orderOf(await place(TEA, KEY));

  const reply = await place(body, KEY);

  expect(reply.headers).toMatchObject({ "idempotent-replayed": "true" });
  expect(orderOf(reply).pk).toBe(pk);
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

  test("who the caller is is not in the store", async () => {
    await placeAs(ANNA);

    expect(JSON.stringify(await dumpKeyspace(redis.client))).not.toMatch(/anna|id\.example\.com/);
  });
});
