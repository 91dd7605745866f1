import { setTimeout as wait } from "node:timers/promises";
import { ulid } from "ulid";
import { z } from "zod";
import { dueTime } from "../../../lib/order.ts";
import { placeOrderEvent } from "../../support/http-event.ts";
import { call } from "../call.ts";
import { ORDER } from "../orders.ts";
import { row } from "../row.ts";
import type { Delivery, MeasuredStack } from "../stack.ts";
import { percentile } from "../statistics.ts";
import type { Measure } from "./measure.ts";

const POLL_MS = 50;
const TIMEOUT_MS = 120_000;

/** The local Scheduler's own limit: so many instances are made before, because cold starts are rows of their own. */
export const DELIVERIES_AT_ONCE = 10;

const Event = z.object({ pk: z.string() });

interface Lag {
  readonly fired: number;
  readonly completed: number;
}

/**
 * How long after its second each order of a burst is completed, against how long after that second Scheduler fired.
 * Needs a stack that fires schedules and has `DELIVERIES_AT_ONCE` instances of `completeOrder`.
 */
export const measureCompletionLag: Measure = async (stack, { bursts, typical }) => {
  const unknown = Array.from({ length: DELIVERIES_AT_ONCE }, () => ({ pk: ulid() }));
  await Promise.all(unknown.map((event) => call(stack, "completeOrder", event)));
  const lags: Lag[] = [];
  for (let round = 0; round < bursts.rounds; round += 1) lags.push(await lagOfBurst(stack, bursts.orders));
  // Of one and the same burst: the difference of two would be of nothing that ever happened.
  const difference = typical(lags.map(({ completed, fired }) => completed - fired));
  const { completed, fired } = lags.find((lag) => lag.completed - lag.fired === difference) ?? lags[0] ?? {};
  return [
    row({
      group: "completion",
      measure: `completed after due, burst of ${bursts.orders}, p99`,
      name: "completeOrder",
      percent: 99,
      unit: "ms",
      subject: completed ?? Number.NaN,
      floor: fired ?? Number.NaN,
      target: { of: "difference", bound: "at most", value: 100 },
    }),
  ];
};

/** The 99th percentiles of one burst. */
async function lagOfBurst(stack: MeasuredStack, orders: number): Promise<Lag> {
  const before = stack.deliveries.length;
  const event = placeOrderEvent({ id: ORDER.product_id, quantity: ORDER.quantity });
  await Promise.all(Array.from({ length: orders }, () => call(stack, "createOrder", event)));
  const deadlineMs = performance.now() + TIMEOUT_MS;
  while (stack.deliveries.length < before + orders) {
    if (performance.now() > deadlineMs) throw new Error("Not every order of the burst was delivered");
    await wait(POLL_MS);
  }
  const lags = stack.deliveries.slice(before).map(lagOf);
  const p99 = (which: keyof Lag) =>
    percentile(
      lags.map((lag) => lag[which]),
      99,
    );
  return { fired: p99("fired"), completed: p99("completed") };
}

/** Both are told from the second of the schedule, not from the due time, which is up to a second before. */
function lagOf({ event, firedMs, endedMs }: Delivery): Lag {
  const second = Math.ceil(dueTime(Event.parse(event).pk) / 1_000) * 1_000;
  return { fired: firedMs - second, completed: endedMs - second };
}
