import { setTimeout as wait } from "node:timers/promises";
import { ulid } from "ulid";
import { z } from "zod";
import { dueTime } from "../../../lib/order.ts";
import { placeOrderEvent } from "../../support/http-event.ts";
import { call } from "../call.ts";
import { ORDER } from "../orders.ts";
import { row } from "../row.ts";
import { percentile } from "../statistics.ts";
import type { Measure } from "./measure.ts";

const POLL_MS = 50;
const TIMEOUT_MS = 120_000;

/** The local Scheduler's own limit: so many instances are made before, because cold starts are rows of their own. */
export const DELIVERIES_AT_ONCE = 10;

const Event = z.object({ pk: z.string() });

/**
 * How long after its second each order of a burst is completed, against how long after that second Scheduler fired.
 * Needs a stack that fires schedules and has `DELIVERIES_AT_ONCE` instances of `completeOrder`.
 */
export const measureCompletionLag: Measure = async (stack, { burst }) => {
  const unknown = Array.from({ length: DELIVERIES_AT_ONCE }, () => ({ pk: ulid() }));
  await Promise.all(unknown.map((event) => call(stack, "completeOrder", event)));
  const event = placeOrderEvent({ id: ORDER.product_id, quantity: ORDER.quantity });
  await Promise.all(Array.from({ length: burst }, () => call(stack, "createOrder", event)));

  const deadlineMs = performance.now() + TIMEOUT_MS;
  while (stack.deliveries.length < burst) {
    if (performance.now() > deadlineMs) throw new Error(`Only ${stack.deliveries.length} of ${burst} were completed`);
    await wait(POLL_MS);
  }
  const lags = stack.deliveries.map((delivery) => {
    // Both are told from the second of the schedule, not from the due time, which is up to a second before.
    const second = Math.ceil(dueTime(Event.parse(delivery.event).pk) / 1_000) * 1_000;
    return { fired: delivery.firedMs - second, completed: delivery.endedMs - second };
  });
  return [
    row({
      group: "completion",
      measure: `completed after due, burst of ${burst}, p99`,
      unit: "ms",
      subject: percentile(
        lags.map(({ completed }) => completed),
        99,
      ),
      floor: percentile(
        lags.map(({ fired }) => fired),
        99,
      ),
      target: { of: "difference", bound: "at most", value: 100 },
    }),
  ];
};
