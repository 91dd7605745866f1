import pRetry from "p-retry";
import { useActionState, useEffect, useReducer, useState } from "react";
import { type Container, createRoot } from "react-dom/client";
import { z } from "zod";

/** How often a completed order is read: it may be refunded, but nobody knows when. */
const COMPLETED_POLL_MS = 5_000;

/** All that is used of the DOM: its whole library in tsconfig.json would give `window` to Lambda functions, too. */
declare const document: { querySelector(selector: string): (Container & { dataset: { api: string } }) | null };

/** What the page shows of an order; the service may tell more. */
const Order = z.object({ pk: z.string(), status: z.enum(["pending", "completed", "refunded"]) });
type Order = z.infer<typeof Order>;

/** Of a problem document (RFC 9457), what a person reads. */
const Problem = z.object({ detail: z.string() });

/** A reply with an order. */
interface Read {
  readonly order: Order;
  /** After how many ms to read it again. */
  readonly pauseMs: number;
}

interface Placed extends Read {
  /** Where the order is read. To a page of another origin its headers are only there because the service exposes them. */
  readonly location: string;
  /** Whether the order had been placed before, with the same key. */
  readonly replayed: boolean;
}

interface Outcome {
  /** What was typed: React empties a form after its action, and fills it with this. */
  readonly sent: { readonly id: string; readonly quantity: string };
  readonly placed?: Placed;
  readonly refusal?: string;
}

/** No reply, or one that says that the next may be better. */
class Unanswered extends Error {}

/** As openapi.yaml has it under "Retries": after no reply, 429, any 5xx or Retry-After the same request may be sent again. */
const RETRIES = {
  retries: 4,
  minTimeout: 200,
  shouldRetry: ({ error }: { error: Error }) => error instanceof Unanswered,
};

/** @throws Error with a message for people: the `detail` of the service's problem document, or that it did not answer */
function ask(url: string, request: RequestInit = {}): Promise<Response> {
  return pRetry(async () => {
    const reply = await fetch(url, request).catch((cause: unknown) => {
      throw new Unanswered("The order service did not answer this page", { cause });
    });
    if (reply.ok) return reply;
    const retryAfter = reply.headers.get("retry-after");
    if (retryAfter !== null) await new Promise((resolve) => setTimeout(resolve, Number(retryAfter) * 1_000));
    if (retryAfter !== null || reply.status === 429 || reply.status >= 500)
      throw new Unanswered("The order service is busy");
    throw new Error(Problem.parse(await reply.json()).detail);
  }, RETRIES);
}

/** @param key of this order alone: sent again with it, the order is placed once */
async function placeOrder(api: string, key: string, order: Outcome["sent"]): Promise<Placed> {
  const headers = { "content-type": "application/json", "idempotency-key": key };
  const reply = await ask(`${api}/orders`, { method: "POST", headers, body: JSON.stringify(order) });
  const location = reply.headers.get("location");
  if (location === null) throw new Error("The service does not let this page see where the order is");
  const replayed = reply.headers.get("idempotent-replayed") === "true";
  return { ...(await readReply(reply)), location, replayed };
}

/** A pending order is read when the service says that it should be completed (Retry-After). */
async function readReply(reply: Response): Promise<Read> {
  const retryAfter = reply.headers.get("retry-after");
  const pauseMs = retryAfter === null ? COMPLETED_POLL_MS : Number(retryAfter) * 1_000;
  return { order: Order.parse(await reply.json()), pauseMs };
}

function Shop({ api }: { readonly api: string }) {
  const [basket, newBasket] = useReducer((count: number) => count + 1, 1);
  return (
    <>
      <h1>Shop</h1>
      <OrderForm key={basket} api={api} />
      <button type="button" onClick={newBasket}>
        New basket
      </button>
    </>
  );
}

/** One basket is one order: it has one key, however often its button is clicked. */
function OrderForm({ api }: { readonly api: string }) {
  const [key] = useState(() => crypto.randomUUID());
  const [{ sent, placed, refusal }, order] = useActionState(submit, { sent: { id: "", quantity: "" } });

  async function submit(before: Outcome, form: FormData): Promise<Outcome> {
    const sent = { id: String(form.get("id")), quantity: String(form.get("quantity")) };
    try {
      return { sent, placed: await placeOrder(api, key, sent) };
    } catch (error) {
      return { ...before, sent, refusal: messageOf(error) };
    }
  }

  return (
    <>
      <form action={order}>
        <label>
          Product <input name="id" defaultValue={sent.id} />
        </label>
        <label>
          Quantity <input name="quantity" inputMode="numeric" defaultValue={sent.quantity} />
        </label>
        <button type="submit">Order</button>
      </form>
      {refusal && <p role="alert">{refusal}</p>}
      {placed?.replayed && <p>This order was placed before</p>}
      {placed && <Status api={api} placed={placed} />}
    </>
  );
}

/** Follows an order to its end; one that is completed may still be refunded. */
function Status({ api, placed }: { readonly api: string; readonly placed: Placed }) {
  const [{ order, pauseMs, problem }, setSeen] = useState<Read & { problem?: string }>(placed);

  // Each reply is drawn, and each drawing asks again.
  useEffect(() => {
    if (order.status === "refunded") return undefined;
    const timer = setTimeout(async () => {
      try {
        setSeen(await readReply(await ask(`${api}${placed.location}`)));
      } catch (error) {
        setSeen((seen) => ({ ...seen, problem: messageOf(error) }));
      }
    }, pauseMs);
    return () => clearTimeout(timer);
  });

  return (
    <p>
      Order <code>{order.pk}</code> is <output>{order.status}</output> {problem}
    </p>
  );
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

const root = document.querySelector("main");
if (root) createRoot(root).render(<Shop api={root.dataset.api} />);
