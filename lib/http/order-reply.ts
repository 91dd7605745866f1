import { dueTime } from "../orders/completion-delay.ts";
import type { Order } from "../orders/order.ts";
import type { ApiReply } from "./api.ts";

/** With `completion: sweep` an order completes up to about 200 ms after it is due: a read sooner would come too early. */
const COMPLETION_PRECISION_MS = 200;

const MAX_RETRY_AFTER_S = 30;

/**
 * The reply with an order. No cache may keep it, because orders change without a request. With a pending order it has
 * Retry-After (RFC 9110 section 10.2.3), so that a client knows when to read the order next.
 * @param now when the reply is sent, in ms since the epoch
 */
export function orderReply(order: Order, now: number, headers: Readonly<Record<string, string>> = {}): ApiReply {
  return {
    statusCode: 200,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...(order.status === "pending" && { "retry-after": String(retryAfterS(order.pk, now)) }),
      ...headers,
    },
    body: JSON.stringify(order),
  };
}

/**
 * After how many whole seconds, 1 to 30, a pending order should be read next: when it should be completed. An order that is
 * overdue is read again after as long as it is overdue, rounded down to a power of two. So a client that follows the header
 * waits 1, 2, 4, 8, 16 and then always 30 seconds, and waiting clients do not flood a service in trouble: the time takes the
 * place of a count of reads.
 * @param pk gives the time of creation
 */
export function retryAfterS(pk: string, now: number): number {
  const overdueMs = now - dueTime(pk);
  const seconds =
    overdueMs < COMPLETION_PRECISION_MS
      ? Math.ceil((COMPLETION_PRECISION_MS - overdueMs) / 1_000)
      : 2 ** Math.floor(Math.log2(Math.max(1, overdueMs / 1_000)));
  return Math.min(seconds, MAX_RETRY_AFTER_S);
}
