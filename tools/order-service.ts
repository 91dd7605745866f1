import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { Order } from "../lib/orders/order.ts";
import type { OrderRequest } from "../lib/orders/order-request.ts";
import { reasonOf } from "../local/error-reason.ts";
import { Failure, POLL_INTERVAL_MS, waitFor } from "./command.ts";

/** API Gateway's own limit: no reply comes later. */
const API_TIMEOUT_MS = 30_000;

const UNAUTHORIZED = new Set([401, 403]);

const Problem = z.object({ detail: z.string(), request_id: z.string() });

/** A reply with an order. */
export interface OrderReply {
  readonly order: Order;
  /** After how many ms to read a pending order (Retry-After). */
  readonly retryAfterMs: number | undefined;
}

interface Follow<Found> {
  /** What is waited for in the order; undefined while it is not there. */
  readonly find: (order: Order) => Found | undefined;
  readonly timeoutMs: number;
  readonly timeoutMessage: () => string;
  /** Called with a read that failed, before the next. */
  readonly onFailure: (failure: Failure) => void;
}

/**
 * The HTTP API, as a shop sees it. Its functions throw a `Failure` when nothing, something else or a problem answers.
 * @param url of the API, without a slash at its end
 * @param hint what to do when it does not answer, for the end of a message
 * @param tokenHint the same when the API requires a token
 * @param authorization the value of the Authorization header, if the API requires one
 */
export function orderService(url: string, hint: string, tokenHint?: string, authorization?: string) {
  const credentials = authorization === undefined ? {} : { authorization };

  async function send(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(`${url}${path}`, { ...init, signal: AbortSignal.timeout(API_TIMEOUT_MS) });
    } catch (cause) {
      throw new Failure(`No order service answers at ${url} (${reasonOf(cause)}): ${hint}`, { cause });
    }
  }

  async function readOrder(reply: Response): Promise<OrderReply> {
    // The schemas of the replies refuse whatever is not JSON.
    const body: unknown = await reply.json().catch(() => undefined);
    const order = Order.safeParse(body);
    const retryAfter = reply.headers.get("retry-after");
    if (reply.ok && order.success) {
      return { order: order.data, retryAfterMs: retryAfter === null ? undefined : Number(retryAfter) * 1_000 };
    }
    const message = `The service replied ${reply.status} at ${reply.url}`;
    const problem = Problem.safeParse(body);
    if (problem.success) throw new Failure(`${message}: ${problem.data.detail} (request ${problem.data.request_id})`);
    if (tokenHint && UNAUTHORIZED.has(reply.status)) {
      throw new Failure(`${message} and requires a token: ${tokenHint}`);
    }
    throw new Failure(`${message}, with neither an order nor a problem document: ${hint}`);
  }

  return {
    /** @returns the order, and whether an earlier request with the same Idempotency-Key made it */
    async place(request: OrderRequest, idempotencyKey: string) {
      const reply = await send("/orders", {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": idempotencyKey, ...credentials },
        body: JSON.stringify(request),
      });
      return { ...(await readOrder(reply)), replayed: reply.headers.get("idempotent-replayed") === "true" };
    },
    /**
     * Reads a placed order, each time when the last reply said so, until something is found in it.
     * @param last the last reply with this order
     */
    async follow<Found>(last: OrderReply, options: Follow<Found>): Promise<Found> {
      const { find, timeoutMs, timeoutMessage, onFailure } = options;
      const startedAt = performance.now();
      let pauseMs = last.retryAfterMs ?? POLL_INTERVAL_MS;
      async function read(): Promise<Found | undefined> {
        try {
          const { order, retryAfterMs } = await readOrder(
            await send(`/orders/${last.order.pk}`, { headers: credentials }),
          );
          pauseMs = retryAfterMs ?? POLL_INTERVAL_MS;
          return find(order);
        } catch (error) {
          if (!(error instanceof Failure)) throw error;
          onFailure(error);
          return undefined;
        }
      }
      await sleep(Math.min(pauseMs, timeoutMs));
      const remainingMs = timeoutMs - (performance.now() - startedAt);
      return waitFor(read, remainingMs, timeoutMessage, () => pauseMs);
    },
  };
}
