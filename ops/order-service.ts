import { z } from "zod";
import { Order } from "../lib/order.ts";
import type { OrderRequest } from "../lib/order-request.ts";
import { Failure } from "./failure.ts";

/** Longer than any reply of the service takes, the first of a cold function included. */
const TIMEOUT_MS = 15_000;

const Problem = z.object({ title: z.string(), request_id: z.string() });

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
  /** The value of an Authorization header, where the API asks for one. */
  readonly authorization?: string;
}

/**
 * The HTTP API, as a shop sees it.
 * @param url without a slash at its end
 */
export function orderService(url: string, { hint, authorization }: OrderServiceOptions): OrderService {
  const credentials = authorization === undefined ? {} : { authorization };

  async function assertRunning(): Promise<void> {
    const reply = await send(`${url}/openapi.yaml`).catch((cause: unknown) => {
      throw new Failure(`No order service answers at ${url}: ${hint}`, { cause });
    });
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

  return { url, assertRunning, place, find };
}

async function send(url: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (cause) {
    throw new Failure(`The service does not answer at ${url}`, { cause });
  }
}

async function readOrder(reply: Response): Promise<Order> {
  const body = parseJson(await reply.text());
  const order = Order.safeParse(body);
  if (reply.ok && order.success) return order.data;
  const problem = Problem.safeParse(body);
  const reason = problem.success
    ? `${problem.data.title}, request ${problem.data.request_id}`
    : "its body is neither an order nor a problem document";
  throw new Failure(`The service replied ${reply.status} at ${reply.url} (${reason})`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is not JSON is no order and no problem document either: the schemas refuse it.
    return undefined;
  }
}
