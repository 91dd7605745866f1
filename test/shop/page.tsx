import { useActionState, useEffect, useReducer, useState } from "react";
import { type Container, createRoot } from "react-dom/client";
import { type Basket, type Order, type Placed, placeOrder, readOrder } from "./api.ts";

const POLL_MS = 500;

/** All that is used of the DOM: its whole library in tsconfig.json would give `window` to Lambda functions, too. */
declare const document: { querySelector(selector: string): (Container & { dataset: { api: string } }) | null };

interface Outcome {
  /** What was sent: React empties a form after its action, and fills it with this. */
  readonly sent: Basket;
  readonly placed?: Placed;
  readonly refusal?: string;
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
  const [{ order, problem }, setSeen] = useState<{ order: Order; problem?: string }>({ order: placed.order });

  // Each reply is drawn, and each drawing asks again.
  useEffect(() => {
    if (order.status === "refunded") return undefined;
    const timer = setTimeout(async () => {
      try {
        setSeen({ order: await readOrder(api, placed.location) });
      } catch (error) {
        setSeen((seen) => ({ ...seen, problem: messageOf(error) }));
      }
    }, POLL_MS);
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
