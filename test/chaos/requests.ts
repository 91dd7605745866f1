import { Order } from "../../lib/order.ts";

/** Longer than API Gateway lets any request take. */
const TIMEOUT_MS = 60_000;

/** A reply as a client got it; status 0 when there was none. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The order, when the reply holds a valid one. */
  readonly placed?: Order;
}

export function postOrder(apiUrl: string, body: unknown, idempotencyKey: string | undefined): Promise<Answer> {
  return ask(`${apiUrl}/orders`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(idempotencyKey && { "idempotency-key": idempotencyKey }) },
    body: JSON.stringify(body),
  });
}

export function getOrder(apiUrl: string, pk: string): Promise<Answer> {
  return ask(`${apiUrl}/orders/${pk}`, {});
}

async function ask(url: string, init: RequestInit): Promise<Answer> {
  try {
    const reply = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await reply.text();
    const placed = reply.ok ? Order.safeParse(JSON.parse(text)) : undefined;
    return { status: reply.status, text, ...(placed?.success && { placed: placed.data }) };
  } catch (error) {
    return { status: 0, text: `no reply: ${String(error)}` };
  }
}
