import { z } from "zod";
import { Order } from "../lib/orders/order.ts";
import type { OrderRequest } from "../lib/orders/order-request.ts";
import { reasonOf } from "../local/error-reason.ts";
import { Failure } from "./command.ts";

/** API Gateway's own limit: no reply comes later. */
const API_TIMEOUT_MS = 30_000;

/** The time-out of the refund poller in serverless.yml, with 10 s to spare. */
const INVOKE_TIMEOUT_MS = 60_000;

const UNAUTHORIZED = new Set([401, 403]);

const Problem = z.object({ detail: z.string(), request_id: z.string() });

export interface PlaceOrderResult {
  readonly order: Order;
  /** Whether an earlier request with the same Idempotency-Key made the order. */
  readonly replayed: boolean;
}

/** The HTTP API, as a shop sees it. */
export interface OrderService {
  /** @throws Failure that says what to do when nothing, or something else, answers at the address */
  assertRunning(): Promise<void>;
  /** @throws Failure when the service refuses the order or does not answer */
  place(request: OrderRequest, idempotencyKey: string): Promise<PlaceOrderResult>;
  /** @throws Failure when there is no such order or the service does not answer */
  find(pk: string): Promise<Order>;
}

export interface OrderServiceOptions {
  /** What to do when nothing answers, for the end of a message. */
  readonly hint: string;
  /** What to do when the API requires a token, for the end of a message. */
  readonly tokenHint: string;
  /** The value of the Authorization header, if the API requires one. */
  readonly authorization?: string | undefined;
}

/** @param url of the API, without a slash at its end */
export function orderService(url: string, { hint, tokenHint, authorization }: OrderServiceOptions): OrderService {
  const credentials = authorization === undefined ? {} : { authorization };

  async function send(address: string, init?: RequestInit): Promise<Response> {
    try {
      return await fetch(address, { ...init, signal: AbortSignal.timeout(API_TIMEOUT_MS) });
    } catch (cause) {
      throw new Failure(`No order service answers at ${url} (${reasonOf(cause)}): ${hint}`, { cause });
    }
  }

  async function readOrder(reply: Response): Promise<Order> {
    // The schemas of the replies refuse whatever is not JSON.
    const body: unknown = await reply.json().catch(() => undefined);
    const order = Order.safeParse(body);
    if (reply.ok && order.success) return order.data;
    const message = `The service replied ${reply.status} at ${reply.url}`;
    const problem = Problem.safeParse(body);
    if (problem.success) throw new Failure(`${message}: ${problem.data.detail} (request ${problem.data.request_id})`);
    if (UNAUTHORIZED.has(reply.status)) throw new Failure(`${message} and requires a token: ${tokenHint}`);
    throw new Failure(`${message}, with neither an order nor a problem document: ${hint}`);
  }

  return {
    async assertRunning() {
      const reply = await send(`${url}/openapi.yaml`);
      if (reply.ok && (await reply.text()).includes("/orders")) return;
      throw new Failure(`The server at ${url} is not the order service: ${hint}`);
    },
    async place(request, idempotencyKey) {
      const reply = await send(`${url}/orders`, {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": idempotencyKey, ...credentials },
        body: JSON.stringify(request),
      });
      return { order: await readOrder(reply), replayed: reply.headers.get("idempotent-replayed") === "true" };
    },
    find: async (pk) => readOrder(await send(`${url}/orders/${pk}`, { headers: credentials })),
  };
}

/**
 * Invokes the refund poller now, by Lambda's Invoke (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html), so that
 * nobody has to wait for its next full minute.
 * @param lambdaUrl without a slash at its end
 * @param functionName as deployed: service, stage and function
 * @returns the result in words; a poller that cannot be invoked is no failure, since its own timer runs it within 60 s
 */
export async function invokeRefundPoller(lambdaUrl: string, functionName: string): Promise<string> {
  const startedAt = performance.now();
  const nextRun = "it runs at the next full minute";
  try {
    const reply = await fetch(`${lambdaUrl}/2015-03-31/functions/${functionName}/invocations`, {
      method: "POST",
      body: "{}",
      signal: AbortSignal.timeout(INVOKE_TIMEOUT_MS),
    });
    if (!reply.ok) return `not invoked, ${lambdaUrl} replied ${reply.status}: ${nextRun}`;
    if (reply.headers.has("x-amz-function-error")) return `failed, see its log: ${nextRun}`;
    return `ran for ${Math.round(performance.now() - startedAt)} ms`;
  } catch {
    return `not invoked, nothing answers at ${lambdaUrl}: ${nextRun}`;
  }
}
