import { z } from "zod";
import { Order, type OrderRequest } from "../../lib/order.ts";
import { DemoFailure } from "./failure.ts";

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
  /** @throws DemoFailure that says what to do when nothing, or something else, answers at the address */
  assertRunning(): Promise<void>;
  /** @throws DemoFailure when the service refuses the order or does not answer */
  place(request: OrderRequest, idempotencyKey: string): Promise<Placed>;
  /** @throws DemoFailure when there is no such order or the service does not answer */
  find(pk: string): Promise<Order>;
}

/**
 * The HTTP API, as a shop sees it.
 * @param url without a slash at its end
 */
export function orderService(url: string): OrderService {
  const howToStart = "start it with `npm start` in another terminal, or set ORDERS_API_PORT to its port";

  async function assertRunning(): Promise<void> {
    const reply = await send(`${url}/openapi.yaml`).catch((cause: unknown) => {
      throw new DemoFailure(`No order service answers at ${url}: ${howToStart}`, { cause });
    });
    if (!reply.ok || !(await reply.text()).includes("/orders")) {
      throw new DemoFailure(`What answers at ${url} is not the order service: ${howToStart}`);
    }
  }

  async function place(request: OrderRequest, idempotencyKey: string): Promise<Placed> {
    const reply = await send(`${url}/orders`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": idempotencyKey },
      body: JSON.stringify(request),
    });
    return { order: await readOrder(reply), replayed: reply.headers.get("idempotent-replayed") === "true" };
  }

  async function find(pk: string): Promise<Order> {
    return readOrder(await send(`${url}/orders/${pk}`));
  }

  return { url, assertRunning, place, find };
}

async function send(url: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (cause) {
    throw new DemoFailure(`The service does not answer any more at ${url}`, { cause });
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
  throw new DemoFailure(`The service replied ${reply.status} at ${reply.url} (${reason})`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is not JSON is no order and no problem document either: the schemas refuse it.
    return undefined;
  }
}
