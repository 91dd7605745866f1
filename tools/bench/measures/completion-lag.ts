import { setTimeout as wait } from "node:timers/promises";
import { ulid } from "ulid";
import { z } from "zod";
import { COMPLETION_DELAY_MS, dueTime } from "../../../lib/order.ts";
import { COMPLETED_STREAM } from "../../../lib/redis/keys.ts";
import { placeOrderEvent } from "../../../test/support/http-event.ts";
import { call } from "../call.ts";
import { ORDER } from "../orders.ts";
import { row } from "../row.ts";
import type { Delivery, MeasuredStack } from "../stack.ts";
import { percentile } from "../statistics.ts";
import type { Measure } from "./measure.ts";

const POLL_MS = 50;
const TIMEOUT_MS = 120_000;
const SECOND_MS = 1_000;

/** All schedules of a floor's burst are made before the first of them fires, even on a busy machine. */
const FLOOR_LEAD_MS = 8_000;

/** The local Scheduler's own limit. */
export const DELIVERIES_AT_ONCE = 10;

/** Of each instance before, because cold starts are rows of their own. */
const WARM_UP_CALLS = 100;

const Event = z.object({ pk: z.string() });

/**
 * How long after the second of its schedule each order of a burst is completed, against how long after theirs as many
 * schedules have invoked an empty handler: the local Scheduler's own lag. The two take turns.
 * Needs a stack that fires schedules, with `DELIVERIES_AT_ONCE` instances of each function.
 */
export const measureCompletionLag: Measure = async (stack, { bursts, typical }) => {
  for (const name of ["completeOrder", "emptyFloor"]) await warmUp(stack, name);
  const subject: number[] = [];
  const floor: number[] = [];
  for (let round = 0; round < bursts.rounds; round += 1) {
    const completions = await completionsOf(stack, bursts.orders);
    subject.push(lagOf(completions));
    floor.push(lagOf(await emptyRunsAlike(stack, completions)));
  }
  return [
    row({
      group: "completion",
      measure: `completed after the second of its schedule, burst of ${bursts.orders}, p99`,
      name: "completeOrder",
      percent: 99,
      unit: "ms",
      subject: typical(subject),
      floor: typical(floor),
      target: { of: "difference", bound: "at most", value: 100 },
    }),
  ];
};

async function warmUp(stack: MeasuredStack, functionName: string): Promise<void> {
  const unknown = Array.from({ length: DELIVERIES_AT_ONCE * WARM_UP_CALLS }, () => ({ pk: ulid() }));
  await Promise.all(unknown.map((event) => call(stack, functionName, event)));
}

/** @throws Error when an order was not completed: to fail is fast */
async function completionsOf(stack: MeasuredStack, orders: number): Promise<readonly Delivery[]> {
  const announced = await stack.redis.xLen(COMPLETED_STREAM);
  const event = placeOrderEvent({ id: ORDER.product_id, quantity: ORDER.quantity });
  const completions = await deliveriesOf(
    stack,
    Array.from({ length: orders }, () => () => call(stack, "createOrder", event)),
  );
  const completed = (await stack.redis.xLen(COMPLETED_STREAM)) - announced;
  if (completed !== orders) throw new Error(`Of a burst of ${orders} orders ${completed} were completed`);
  return completions;
}

/** Has Scheduler invoke the empty handler as often in each second as it completed orders, the whole some seconds later. */
function emptyRunsAlike(stack: MeasuredStack, completions: readonly Delivery[]): Promise<readonly Delivery[]> {
  const seconds = completions.map(secondOf).toSorted((a, b) => a - b);
  const laterMs = secondAfter(Date.now() + FLOOR_LEAD_MS) - (seconds[0] ?? 0);
  return deliveriesOf(
    stack,
    seconds.map((second) => () => {
      const due = second + laterMs;
      const pk = ulid(due - COMPLETION_DELAY_MS);
      return call(stack, "scheduleEmptyFloor", { pk, due });
    }),
  );
}

/** Makes schedules, all at once, and waits until each was delivered. @throws Error when the function failed at one */
async function deliveriesOf(
  stack: MeasuredStack,
  schedules: readonly (() => Promise<unknown>)[],
): Promise<readonly Delivery[]> {
  const before = stack.deliveries.length;
  await Promise.all(schedules.map((make) => make()));
  const deadlineMs = performance.now() + TIMEOUT_MS;
  while (stack.deliveries.length < before + schedules.length) {
    if (performance.now() > deadlineMs) throw new Error("Not every schedule of a burst was delivered");
    await wait(POLL_MS);
  }
  const deliveries = stack.deliveries.slice(before);
  const failed = deliveries.find(({ outcome }) => !outcome.ok);
  if (failed) throw new Error(`A delivery of a burst failed: ${JSON.stringify(failed)}`);
  return deliveries;
}

/** The 99th percentile, in ms. */
const lagOf = (deliveries: readonly Delivery[]): number =>
  percentile(
    deliveries.map((delivery) => delivery.endedMs - secondOf(delivery)),
    99,
  );

/** Of the schedule, in ms since the epoch: up to a second after the order is due. */
const secondOf = ({ event }: Delivery): number => secondAfter(dueTime(Event.parse(event).pk));

const secondAfter = (ms: number): number => Math.ceil(ms / SECOND_MS) * SECOND_MS;
