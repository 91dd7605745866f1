import { z } from "zod";
import { Order } from "../lib/order.ts";
import type { OrderRequest } from "../lib/order-request.ts";
import { parseJson } from "../local/parse-json.ts";
import { Failure } from "./failure.ts";

/** API Gateway's own limit: no reply comes later. */
const TIMEOUT_MS = 30_000;

/** API Gateway's own replies, which are no problem documents. */
const REFUSED = new Set([401, 403]);

const Problem = z.object({ detail: z.string(), request_id: z.string() });

export interface Placed {
  readonly order: Order;
  /** Whether the reply was the order that the same Idempotency-Key had made before. */
  readonly replayed: boolean;
}

export interface OrderService {
  readonly url: string;
  /** @throws Failure that says what to do when nothing, or something else, answers at the address */
  assertRunning(): Promise<void>;
  /** @throws Failure when the service refuses the order or does not answer */
  place(request: OrderRequest, idempotencyKey: string): Promise<Placed>;
  /** @throws Failure when there is no such order or the service does not answer */
  find(pk: string): Promise<Order>;
}

export interface OrderServiceOptions {
  /** What to do when nothing answers, for the end of a message. */
  readonly hint: string;
  /** What to do when the API asks for a token, or refuses the one it got, for the end of a message. */
  readonly tokenHint: string;
  /** The value of an Authorization header, where the API asks for one. */
  readonly authorization?: string;
}

/**
 * The HTTP API, as a shop sees it.
 * @param url without a slash at its end
 */
export function orderService(url: string, { hint, tokenHint, authorization }: OrderServiceOptions): OrderService {
  const credentials = authorization === undefined ? {} : { authorization };

  async function assertRunning(): Promise<void> {
    const reply = await send(`${url}/openapi.yaml`);
    if (!reply.ok || !(await reply.text()).includes("/orders")) {
      throw new Failure(`What answers at ${url} is not the order service: ${hint}`);
    }
  }

  async function place(request: OrderRequest, idempotencyKey: string): Promise<Placed> {
    const reply = await send(`${url}/orders`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": idempotencyKey, ...credentials },
      body: JSON.stringify(request),
    });
    return { order: await readOrder(reply), replayed: reply.headers.get("idempotent-replayed") === "true" };
  }

  async function find(pk: string): Promise<Order> {
    return readOrder(await send(`${url}/orders/${pk}`, { headers: credentials }));
  }

  async function send(address: string, init?: RequestInit): Promise<Response> {
    try {
      return await fetch(address, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch (cause) {
      throw new Failure(`No order service answers at ${url}: ${hint}`, { cause });
    }
  }

  async function readOrder(reply: Response): Promise<Order> {
    const body = parseJson(await reply.text());
    const order = Order.safeParse(body);
    if (reply.ok && order.success) return order.data;
    const said = `The service replied ${reply.status} at ${reply.url}`;
    const problem = Problem.safeParse(body);
    if (problem.success) throw new Failure(`${said}: ${problem.data.detail} (request ${problem.data.request_id})`);
    if (REFUSED.has(reply.status)) throw new Failure(`${said}, which asks for a token: ${tokenHint}`);
    throw new Failure(`${said}, neither with an order nor with a problem document: ${hint}`);
  }

  return { url, assertRunning, place, find };
}
