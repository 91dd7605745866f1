import { ulid } from "ulid";
import { z } from "zod";
import { Order } from "../../lib/orders/order.ts";
import { getOrderEvent, placeOrderEvent } from "../lambda-host/events.ts";
import type { RecordedRequest } from "./baseline.ts";
import { ORDER_BODY, storeCompletedOrders, storeOverdueOrders } from "./orders.ts";
import { type MeasuredStack, recordRequests, type Stacks } from "./stack.ts";
import { interleave, mean, median, type Row } from "./statistics.ts";

const HOUR_MS = 3_600_000;
const SCHEDULE_TIME = /at\([\dT:-]+\)/g;

/** The reply of createOrder. */
export const PlaceOrderReply = z.object({ body: z.string().transform((body) => Order.parse(JSON.parse(body))) });

/** Of createOrder with `sweep`, as a part of its time with a schedule: 0.40 of 1.22 ms on the machine on which the target was set. */
const MAX_SWEEP_CPU_RATIO = 0.33;

/** A function on the way of an order. */
interface OrderFunction {
  readonly name: string;
  /** The most CPU time of a warm call, as a multiple of its baseline. */
  readonly maxCpuRatio: number;
  /** An event for each call, and the pk that its requests to Redis name, where it is known before. */
  readonly events: (stack: MeasuredStack, count: number) => Promise<readonly { event: unknown; pk?: string }[]>;
}

const ORDER_FUNCTIONS: readonly OrderFunction[] = [
  {
    name: "getOrder",
    maxCpuRatio: 2,
    events: async ({ redis }, count) =>
      (await storeCompletedOrders(redis, count)).map((pk) => ({ event: getOrderEvent(pk), pk })),
  },
  {
    name: "createOrder",
    maxCpuRatio: 4,
    events: async (_, count) => Array.from({ length: count }, () => ({ event: placeOrderEvent(ORDER_BODY) })),
  },
  {
    name: "completeOrder",
    maxCpuRatio: 2.5,
    events: async ({ redis }, count) => (await storeOverdueOrders(redis, count)).map((pk) => ({ event: { pk }, pk })),
  },
];

/**
 * CPU time of a warm call, and of its baseline: the same HTTP requests to Redis and EventBridge Scheduler, with the same script,
 * sent by a handler that does nothing else. createOrder is measured with `sweep`, too. On Lambda, CPU time is most of what is billed
 * and waited for.
 */
export async function measureWarmCalls(
  { scheduler: stack, sweep }: Stacks,
  { rounds, calls, warmUp }: { readonly rounds: number; readonly calls: number; readonly warmUp: number },
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, maxCpuRatio, events } of ORDER_FUNCTIONS) {
    const count = warmUp + rounds * calls;
    const own = [...(await events(stack, count))];
    const requests = await requestsOf(stack, name, events);
    const replayed = (await events(stack, count)).map(({ pk = ulid() }) => requests(pk));
    const subject = async () => (await stack.call(name, own.shift()?.event)).handlerCpuMs;
    const baseline = async () => (await stack.call("bareRequests", { requests: replayed.shift() })).handlerCpuMs;
    const swept = async () => (await sweep.call(name, placeOrderEvent(ORDER_BODY))).handlerCpuMs;
    const sides = [subject, baseline, ...(name === "createOrder" ? [swept] : [])];
    await stack.recycle("bareRequests");
    await interleave(sides, 1, warmUp);
    const taken = await interleave(sides, rounds, calls);
    const [cpu = Number.NaN, baselineCpu, sweepCpu] = taken.map((ofSide) => median(ofSide.map(mean)));
    const row = { group: "cpu", measure: `${name}: CPU time of a warm call`, name, unit: "ms" } as const;
    rows.push({ ...row, value: cpu, baseline: baselineCpu, atMost: maxCpuRatio });
    if (sweepCpu !== undefined) {
      const label = `${name}, sweep`;
      rows.push({
        ...row,
        measure: `${label}: CPU time of a warm call`,
        name: label,
        value: sweepCpu,
        baseline: cpu,
        atMost: MAX_SWEEP_CPU_RATIO,
      });
    }
  }
  return rows;
}

/** Records the requests of one warm call. @returns the same requests for any other pk */
async function requestsOf(stack: MeasuredStack, name: string, events: OrderFunction["events"]) {
  const [first, second] = await events(stack, 2);
  await stack.call(name, first?.event);
  let reply: unknown;
  const recorded = await recordRequests(async () => {
    reply = (await stack.call(name, second?.event)).reply;
  });
  const recordedPk = second?.pk ?? PlaceOrderReply.parse(reply).body.pk;
  // EventBridge Scheduler rejects a time in the past, which that of the recorded schedule soon is.
  const inAnHour = new Date(Date.now() + HOUR_MS).toISOString().slice(0, "yyyy-MM-ddTHH:mm:ss".length);
  const text = JSON.stringify(recorded).replaceAll(SCHEDULE_TIME, `at(${inAnHour})`);
  if (!text.includes(recordedPk)) throw new Error(`The requests of ${name} do not name the order ${recordedPk}`);
  return (pk: string): RecordedRequest[] => JSON.parse(text.replaceAll(recordedPk, pk));
}
