import { Order } from "../../lib/order.ts";
import { fetchDocumented } from "../../test/support/fetch-documented.ts";

/** Places an order with an Idempotency-Key, and returns its pk. */
export async function place(apiUrl: string): Promise<string> {
  const response = await fetchDocumented(`${apiUrl}/orders`, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
    body: '{"id":"tea-green","quantity":2}',
  });
  if (!response.ok) throw new Error(`POST /orders was answered ${response.status}`);
  return Order.parse(await response.json()).pk;
}

export async function read(apiUrl: string, pk: string): Promise<void> {
  const response = await fetchDocumented(`${apiUrl}/orders/${pk}`);
  if (!response.ok) throw new Error(`GET /orders/${pk} was answered ${response.status}`);
}
