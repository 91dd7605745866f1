import { ulid } from "ulid";
import { COMPLETED_STREAM, orderKey, PENDING_KEY } from "../../lib/redis/keys.ts";
import { getOrderEvent, placeOrderEvent } from "../support/http-event.ts";
import type { Floor } from "./floors.ts";
import { loadScript, ORDER, storeCompletedOrders, storeOverdueOrders } from "./orders.ts";
import { completionSchedule } from "./schedule.ts";
import type { MeasuredStack } from "./stack.ts";

/** The events of both sides: for each call of the function one that has the floor do the same. */
interface Events {
  readonly subject: readonly unknown[];
  readonly floor: readonly unknown[];
}

/** A function that is measured warm, and what it is measured against. */
export interface WarmCase {
  /** What its rows are called. */
  readonly name: string;
  /** Of serverless.yml. */
  readonly functionName: string;
  readonly floor: Floor;
  /** How many times the floor's time is enough. */
  readonly target: number;
  /** What Redis must hold is stored on the way. */
  readonly events: (stack: MeasuredStack, count: number) => Promise<Events>;
}

export const WARM_CASES: readonly WarmCase[] = [
  { name: "getOrder", functionName: "getOrder", floor: "pipelinesFloor", target: 1.3, events: getOrder },
  { name: "createOrder", functionName: "createOrder", floor: "createScheduleFloor", target: 1.5, events: createOrder },
  { name: "completeOrder", functionName: "completeOrder", floor: "pipelinesFloor", target: 1.3, events: completeOrder },
];

/** On a stack with an inventory. */
export const PRICED_CASES: readonly WarmCase[] = [
  {
    name: "createOrder with prices",
    functionName: "createOrder",
    floor: "createPricedFloor",
    target: 1.5,
    events: createOrder,
  },
];

async function getOrder({ redis }: MeasuredStack, count: number): Promise<Events> {
  const pks = await storeCompletedOrders(redis, count);
  return {
    subject: pks.map((pk) => getOrderEvent(pk)),
    floor: pks.map((pk) => ({ pipelines: [[["hgetall", orderKey(pk)]]] })),
  };
}

async function createOrder({ redis }: MeasuredStack, count: number): Promise<Events> {
  const sha1 = await loadScript(redis, "create-order");
  const fingerprint = "0".repeat(64);
  const floor = Array.from({ length: count }, () => {
    const pk = ulid();
    const due = Date.now() + 300_000;
    const args = [pk, ORDER.product_id, ORDER.quantity, ORDER.created_at, due, fingerprint, 86_400, 0];
    const pipeline = [["evalsha", sha1, 2, orderKey(pk), PENDING_KEY, ...args]];
    return { pipeline, name: pk, schedule: completionSchedule(pk, due) };
  });
  const event = placeOrderEvent({ id: ORDER.product_id, quantity: ORDER.quantity });
  return { subject: Array.from({ length: count }, () => event), floor };
}

async function completeOrder({ redis }: MeasuredStack, count: number): Promise<Events> {
  const sha1 = await loadScript(redis, "complete-orders");
  const pks = await storeOverdueOrders(redis, count);
  const others = await storeOverdueOrders(redis, count);
  const now = new Date().toISOString();
  return {
    subject: pks.map((pk) => ({ pk })),
    floor: others.map((pk) => ({
      pipelines: [[["evalsha", sha1, 3, PENDING_KEY, COMPLETED_STREAM, orderKey(pk), now, pk]]],
    })),
  };
}
