import { getOrderEvent, placeOrderEvent } from "../../test/support/http-event.ts";
import { ORDER, storeCompletedOrders, storeOverdueOrders } from "./orders.ts";
import type { MeasuredStack } from "./stack.ts";

/** A function that is measured warm. */
export interface WarmCase {
  /** What its rows are called. */
  readonly name: string;
  /** Of serverless.yml. */
  readonly functionName: string;
  /** The most CPU time that a call may take, in ms. */
  readonly cpuMs: number;
  /** An event for each call; what they need is stored in Redis on the way. */
  readonly events: (stack: MeasuredStack, count: number) => Promise<readonly unknown[]>;
}

const placeOrders: WarmCase["events"] = async (_, count) =>
  Array.from({ length: count }, () => placeOrderEvent({ id: ORDER.product_id, quantity: ORDER.quantity }));

export const WARM_CASES: readonly WarmCase[] = [
  {
    name: "getOrder",
    functionName: "getOrder",
    cpuMs: 0.3,
    events: async ({ redis }, count) => (await storeCompletedOrders(redis, count)).map((pk) => getOrderEvent(pk)),
  },
  { name: "createOrder", functionName: "createOrder", cpuMs: 0.8, events: placeOrders },
  {
    name: "completeOrder",
    functionName: "completeOrder",
    cpuMs: 0.22,
    events: async ({ redis }, count) => (await storeOverdueOrders(redis, count)).map((pk) => ({ pk })),
  },
];

/** On a stack with an inventory. */
export const PRICED_CASES: readonly WarmCase[] = [
  { name: "createOrder with prices", functionName: "createOrder", cpuMs: 1.1, events: placeOrders },
];
