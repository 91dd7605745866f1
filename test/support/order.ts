import { expect } from "vitest";
import { Order } from "../../lib/orders/order.ts";
import type { HttpReply } from "./functions.ts";

/** The order of a reply that is expected to hold one. */
export function orderOf(reply: HttpReply): Order {
  expect(reply).toMatchObject({ statusCode: 200, headers: { "content-type": "application/json" } });
  // The schema takes a quantity in digits too, as Redis holds it.
  expect(reply.body).toMatchObject({ quantity: expect.any(Number) });
  return Order.parse(reply.body);
}
