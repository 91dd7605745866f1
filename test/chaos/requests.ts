import { Order } from "../../lib/orders/order.ts";
import { faultsOf } from "../support/contract.ts";

/** Longer than API Gateway lets any request take. */
const TIMEOUT_MS = 60_000;

/** A reply as a client got it; status 0 when there was none. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** From the Retry-After of the reply, in ms. */
  readonly retryAfterMs?: number;
  /** The order, when the reply holds a valid one. */
  readonly placed?: Order;
  /** What openapi.yaml does not promise of it, whatever fails. */
  readonly undocumented?: string;
}

export function postOrder(apiUrl: string, body: unknown, idempotencyKey: string | undefined): Promise<Answer> {
  return ask("POST /orders", `${apiUrl}/orders`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(idempotencyKey && { "idempotency-key": idempotencyKey }) },
    body: JSON.stringify(body),
  });
}

export function getOrder(apiUrl: string, pk: string): Promise<Answer> {
  return ask("GET /orders/{pk}", `${apiUrl}/orders/${pk}`, {});
}

async function ask(route: string, url: string, init: RequestInit): Promise<Answer> {
  try {
    const reply = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await reply.text();
    return { status: reply.status, text, ...read(route, reply, text) };
  } catch (error) {
    return { status: 0, text: `no reply: ${String(error)}` };
  }
}

function read(
  route: string,
  { ok, status, headers }: Response,
  text: string,
): Pick<Answer, "placed" | "retryAfterMs" | "undocumented"> {
  const body = parsed(text);
  const faults = faultsOf(route, { statusCode: status, headers: Object.fromEntries(headers), body });
  const placed = ok ? Order.safeParse(body) : undefined;
  return {
    ...(placed?.success && { placed: placed.data }),
    ...(headers.has("retry-after") && { retryAfterMs: Number(headers.get("retry-after")) * 1_000 }),
    ...(faults.length > 0 && {
      undocumented: `openapi.yaml has no such reply (${faults.join("; ")}): ${status} ${text}`,
    }),
  };
}

/** Undefined, which no schema takes, where it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
