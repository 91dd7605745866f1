import { useEffect, useId, useState } from "react";
import type { Action } from "./console.ts";
import type { ShownOrder } from "./redis.ts";

const TICK_MS = 250;

/** A schedule fires at the full second after the due time, and the page may be half a second behind. */
const LATE_MS = 1_800;

const TERMS = {
  announced:
    "The script that completes an order also adds one entry to the Redis stream order_completed. Other services read it there, such as an inventory.",
  "dead letter":
    "A refund request that cannot be carried out: its order is unknown, or it has no valid pk. The stream refund_order:dead keeps it until somebody repairs the cause and replays it, or drops it.",
  sweep:
    "The function sweepOrders. It reads orders:pending, the list of orders that are still to be completed, and completes what is overdue. So no order depends on its schedule.",
  "consumer group":
    "A service that reads a stream. Redis remembers what the group has read, so that nothing is left out.",
} as const;

export type Act = (action: Action) => void;

/** A term that explains itself: on hover, and on click for fingers and keyboards. */
export function Term({ name }: { readonly name: keyof typeof TERMS }) {
  const id = useId();
  return (
    <>
      <button type="button" className="term" popoverTarget={id} title={TERMS[name]}>
        {name}
      </button>
      <span id={id} popover="auto">
        {TERMS[name]}
      </span>
    </>
  );
}

export const clock = (time: number | string) => new Date(time).toLocaleTimeString("en-GB");
export const inSeconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
export const short = (pk: string) => `…${pk.slice(-4)}`;
export const count = (value: number) => value.toLocaleString("en");
export const goods = ({ product_id, quantity }: ShownOrder) => `${product_id} × ${quantity}`;

/** The states of an order for a viewer, each with its color. */
export const STATES = {
  waiting: "blue",
  overdue: "amber",
  completed: "green",
  "refund requested": "amber",
  refunded: "soft",
} as const;

export function stateOf({ status, due, requested }: ShownOrder, now: number): keyof typeof STATES {
  if (status === "refunded") return "refunded";
  if (requested) return "refund requested";
  if (status === "completed") return "completed";
  return now > due + LATE_MS ? "overdue" : "waiting";
}

export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** What is selected. The DOM has no types here. */
export function selected<Value extends string>(select: object, values: readonly Value[], initial: Value): Value {
  return values.find((value) => value === Reflect.get(select, "value")) ?? initial;
}
