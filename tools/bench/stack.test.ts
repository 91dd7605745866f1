import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { dueTime, Order } from "../../lib/order.ts";
import { getOrderEvent, placeOrderEvent } from "../../test/support/http-event.ts";
import { type MeasuredStack, startStack } from "./stack.ts";

let stack: MeasuredStack;

beforeAll(async () => {
  stack = await startStack();
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
});

describe("the measured stack", () => {
  test("carries an order from its request to its completion", async () => {
    const response = await fetch(`${stack.apiUrl}/orders`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"id":"tea","quantity":1}',
    });
    expect(response.status).toBe(200);
    await vi.waitFor(() => expect(stack.deliveries).toHaveLength(1), 60_000);
    const [delivery] = stack.deliveries;
    const { pk } = Order.parse(await response.json());
    expect(delivery).toMatchObject({ event: { pk }, outcome: { ok: true } });
    expect(delivery?.endedMs).toBeGreaterThanOrEqual(dueTime(pk));
    expect(await stack.redis.xLen("order_completed")).toBe(1);
  });

  test("counts the requests that a call makes, at each server", async () => {
    const event = placeOrderEvent({ id: "tea", quantity: 1 });
    await stack.invoke("createOrder", event);
    const before = stack.requests();
    await stack.invoke("createOrder", event);
    expect(stack.requests()).toEqual({
      api: before.api,
      upstash: before.upstash + 1,
      scheduler: before.scheduler + 1,
    });
  });

  test("meters time, memory, cold starts and log of each function", async () => {
    for (let call = 0; call < 3; call += 1) await stack.invoke("getOrder", getOrderEvent("none"));
    const usage = stack.usageOf("getOrder");
    expect(usage).toMatchObject({ invocations: 3, failures: 0 });
    expect([usage.durationsMs.length, usage.initsMs.length]).toEqual([3, 1]);
    expect(usage.maxMemoryMb).toBeGreaterThan(20);
    await stack.recycle("getOrder");
    // A refused request logs one line, that it found nothing.
    expect(usage.logBytes).toBeGreaterThan(3 * 100);
  });
});
