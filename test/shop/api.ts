import pRetry from "p-retry";
import { z } from "zod";

/** As openapi.yaml has it under "Retries": after no reply, 409, 429 or any 5xx the same request may be sent again. */
const RETRIES = {
  retries: 4,
  minTimeout: 200,
  shouldRetry: ({ error }: { error: Error }) => error instanceof Unanswered,
};

/** What the page shows of an order; the service may tell more. */
const Order = z.object({ pk: z.string(), status: z.enum(["pending", "completed", "refunded"]) });
export type Order = z.infer<typeof Order>;

/** Of a problem document (RFC 9457), what a person reads. */
const Problem = z.object({ detail: z.string() });

/** What a person typed: a form gives text, for the quantity, too. */
export interface Basket {
  readonly id: string;
  readonly quantity: string;
}

export interface Placed {
  readonly order: Order;
  /** Where the order is read. To a page of another origin this header is only there because the service exposes it. */
  readonly location: string;
  /** Whether the order had been placed before, with the same key. */
  readonly replayed: boolean;
}

/**
 * @param api the address of the service, without a slash at its end
 * @param key of this order alone: sent again with it, the order is placed once
 * @throws Error with a message for people: the `detail` of the service's problem document, or that it did not answer
 */
export async function placeOrder(api: string, key: string, basket: Basket): Promise<Placed> {
  const headers = { "content-type": "application/json", "idempotency-key": key };
  const reply = await ask(`${api}/orders`, { method: "POST", headers, body: JSON.stringify(basket) });
  const location = reply.headers.get("location");
  if (location === null) throw new Error("The service does not let this page see where the order is");
  const replayed = reply.headers.get("idempotent-replayed") === "true";
  return { order: Order.parse(await reply.json()), location, replayed };
}

/** @throws Error as `placeOrder` */
export async function readOrder(api: string, location: string): Promise<Order> {
  return Order.parse(await (await ask(`${api}${location}`)).json());
}

/** No reply, or one that says that the next may be better. */
class Unanswered extends Error {}

function ask(url: string, request: RequestInit = {}): Promise<Response> {
  return pRetry(async () => {
    const reply = await fetch(url, request).catch((cause: unknown) => {
      throw new Unanswered("The order service did not answer this page", { cause });
    });
    if (reply.ok) return reply;
    if (reply.status === 409) {
      await new Promise((resolve) => setTimeout(resolve, Number(reply.headers.get("retry-after")) * 1_000));
      throw new Unanswered("The order service is still busy with this order");
    }
    if (reply.status === 429 || reply.status >= 500) throw new Unanswered("The order service is not well");
    throw new Error(Problem.parse(await reply.json()).detail);
  }, RETRIES);
}
