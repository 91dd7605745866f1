import { expect, test } from "vitest";
import { getOrderEvent, placeOrderEvent } from "../../lab/lambda-host/events.ts";
import { useFunctions } from "../support/functions.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf, storeOrder } from "../support/orders.ts";
import { expectProblem, expectRefusalLogged } from "../support/problems.ts";
import { useRedis } from "../support/redis.ts";

const redis = useRedis();
const functions = useFunctions(redis);
const log = useLogLines();

const UNKNOWN = "01JD7Y4Q2X8WZ5V3T1R9P7N6MB";

const place = async () =>
  orderOf(await functions.invokeHttp("createOrder", placeOrderEvent({ id: "tea", quantity: 2 })));
const read = (pk: string) => functions.invokeHttp("getOrder", getOrderEvent(pk));

test("an order is read as it was placed, completed and refunded, with one call to Redis each", async () => {
  const placed = await place();
  functions.upstash.reset();

  const pending = await read(placed.pk);
  expect(pending).toEqual({
    statusCode: 200,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "retry-after": expect.stringMatching(/^[1-6]$/),
    },
    body: placed,
  });
  expect(functions.upstash.requests).toEqual(["POST /pipeline"]);

  await functions.invokeJob("completeOrder", { pk: placed.pk });
  const reply = await read(placed.pk);
  expect(reply.headers).not.toHaveProperty("retry-after");
  const completed = orderOf(reply);
  expect(completed).toEqual({ ...placed, status: "completed", completed_at: expect.stringMatching(/Z$/) });

  await redis.client.xAdd("refund_order", "*", { pk: placed.pk });
  await functions.invokeJob("drainRefunds", {});
  expect(orderOf(await read(placed.pk))).toEqual({
    ...completed,
    status: "refunded",
    refunded_at: expect.stringMatching(/Z$/),
  });
});

// serverless-offline takes HEAD by the route of GET; API Gateway has a route for each.
test.for(["HEAD /orders/{pk}", "GET /orders/{pk}"])(
  "HEAD gets the status and the headers of GET, the length among them, and no body: by the route %s",
  async (routeKey) => {
    for (const pk of [await storeOrder(redis.client, "completed"), UNKNOWN]) {
      const { statusCode, headers, body } = await read(pk);
      const { requestContext, ...event } = getOrderEvent(pk);
      const http = { ...requestContext.http, method: "HEAD" };

      const head = await functions.invokeHttp("getOrder", {
        ...event,
        routeKey,
        requestContext: { ...requestContext, http },
      });

      const length = String(Buffer.byteLength(JSON.stringify(body)));
      expect(head).toEqual({ statusCode, headers: { ...headers, "content-length": length } });
    }
  },
);

test("a pk that no order has: 404", async () => {
  const reply = await read(UNKNOWN);

  expectProblem(reply, 404, "order-not-found");
  expectRefusalLogged(log, "order_not_found", 404, "GET /orders/{pk}");
  expect(functions.upstash.requests).toEqual(["POST /pipeline"]);
});

test.for(["01jd7y4q2x8wz5v3t1r9p7n6mb", ""])("what is no pk (%j): 404 without asking Redis", async (pk) => {
  const reply = await read(pk);

  expectProblem(reply, 404, "order-not-found");
  expectRefusalLogged(log, "order_not_found", 404, "GET /orders/{pk}");
  expect(functions.upstash.requests).toEqual([]);
});

test("a hash that is no order is a failure of ours, and the reply does not reveal it", async () => {
  await redis.client.hSet(`order:${UNKNOWN}`, { status: "something secret" });

  const reply = await read(UNKNOWN);

  expectProblem(reply, 500, "internal-error");
  expect(log.logged).toEqual([expect.objectContaining({ level: "ERROR", code: "redis_invalid_reply" })]);
  expect(log.text).not.toContain("something secret");
});
