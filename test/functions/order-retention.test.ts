import { beforeAll, expect, test } from "vitest";
import { useFunctions } from "../support/functions.ts";
import { getOrderEvent, placeOrderEvent } from "../support/http-event.ts";
import { useLogLines } from "../support/log-lines.ts";
import { orderOf } from "../support/order.ts";
import { requestRefund } from "../support/orders.ts";
import { expectProblem } from "../support/problems.ts";
import { useRedis } from "../support/redis.ts";

beforeAll(() => {
  process.env.ORDER_RETENTION_DAYS = "30";
});

const redis = useRedis();
const functions = useFunctions(redis);
useLogLines();

test("an order expires 30 days after it was placed, completed or not; then it is 404, and a refund of it a dead letter", async () => {
  const { pk } = orderOf(await functions.invokeHttp("createOrder", placeOrderEvent({ id: "tea-green", quantity: 2 })));
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
