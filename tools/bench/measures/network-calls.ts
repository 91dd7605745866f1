import { getOrderEvent, placeOrderEvent } from "../../../test/support/http-event.ts";
import { call } from "../call.ts";
import { ORDER, requestRefunds, storeCompletedOrders, storeOverdueOrders } from "../orders.ts";
import { type Row, row } from "../row.ts";
import type { MeasuredStack } from "../stack.ts";
import type { Measure } from "./measure.ts";

/** lib/refunds/read-refunds.ts and lib/orders/sweep-orders.ts take so many at once. */
export const REFUND_BATCH = 80;
export const SWEEP_BATCH = 200;

const BATCHES = 3;

/** HTTP requests that one call makes, warm and with the scripts in Redis's cache: exact. */
export const measureNetworkCalls: Measure = async (stack) => {
  const { redis } = stack;
  const [found = ""] = await storeCompletedOrders(redis, 1);
  const [due = ""] = await storeOverdueOrders(redis, 1);
  const cases: readonly {
    name: string;
    event: unknown;
    upstash: number;
    scheduler?: number;
    before?: () => unknown;
  }[] = [
    { name: "getOrder", event: getOrderEvent(found), upstash: 1 },
    {
      name: "createOrder",
      event: placeOrderEvent({ id: ORDER.product_id, quantity: ORDER.quantity }),
      upstash: 1,
      scheduler: 1,
    },
    { name: "completeOrder", event: { pk: due }, upstash: 1 },
    {
      name: "drainRefunds",
      event: {},
      upstash: BATCHES + 1,
      before: async () => requestRefunds(redis, await storeCompletedOrders(redis, BATCHES * REFUND_BATCH)),
    },
    {
      name: "sweepOrders",
      event: {},
      upstash: BATCHES + 1,
      before: () => storeOverdueOrders(redis, BATCHES * SWEEP_BATCH),
    },
  ];
  const rows: Row[] = [];
  for (const { name, event, upstash, scheduler = 0, before } of cases) {
    // Once to warm up, so that the scripts are cached and nothing is left from before.
    await before?.();
    await call(stack, name, event);
    await before?.();
    const made = await requestsOf(stack, () => call(stack, name, event));
    const batches = upstash > 1 ? ` for ${BATCHES} batches` : "";
    rows.push(exact(name, `to Redis${batches}`, made.upstash, upstash));
    if (scheduler > 0) rows.push(exact(name, "to Scheduler", made.scheduler, scheduler));
    else if (made.scheduler > 0) throw new Error(`${name} called Scheduler`);
  }
  return rows;
};

async function requestsOf(stack: MeasuredStack, work: () => Promise<unknown>) {
  const before = stack.requests();
  await work();
  const after = stack.requests();
  return { upstash: after.upstash - before.upstash, scheduler: after.scheduler - before.scheduler };
}

function exact(name: string, what: string, subject: number, value: number): Row {
  const target = { of: "subject", bound: "exactly", value } as const;
  return row({ group: "network calls", measure: `${name}: requests ${what}`, name, unit: "calls", subject, target });
}
