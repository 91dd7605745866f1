import type { Counts } from "./counts.ts";
import { type Line, line } from "./line.ts";
import { PRICES } from "./prices.ts";
import { MILLION, minutesAMonth, monthlyUsd, PART, type Service, thisService } from "./service.ts";

/** No rival is asked about more orders a month. */
const MOST_ORDERS = 1_000_000_000;

/** Other ways to run the same service, on paper: what they share with it is what was counted. */
export function rivals(counts: Counts): Service[] {
  const ours = thisService(counts);
  return [withStepFunctions(ours), withSqs(ours), container(ours, "ElastiCache"), container(ours, "Upstash")];
}

/**
 * Where a rival begins to cost less, or more, than this service.
 * @returns orders a month; undefined when that is at no number up to a billion
 */
export function breakEven(counts: Counts, rival: string): number | undefined {
  const dearer = (orders: number) => {
    const other = rivals(counts).find(({ name }) => name === rival);
    if (!other) throw new Error(`There is no rival ${rival}`);
    return monthlyUsd(thisService(counts), orders) > monthlyUsd(other, orders);
  };
  let [low, high] = [0, MOST_ORDERS];
  if (dearer(low) === dearer(high)) return undefined;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (dearer(middle) === dearer(low)) low = middle;
    else high = middle;
  }
  return high;
}

/** A Wait state, then completeOrder. */
function withStepFunctions(ours: Service): Service {
  const transitions = PRICES.assumptions.stepTransitionsAnOrder.value * MILLION;
  return {
    name: "Step Functions instead of Scheduler",
    perMillionOrders: [
      ...without(ours.perMillionOrders, PART.timer),
      line("Step Functions", "stepTransition", transitions),
    ],
    perMonth: ours.perMonth,
  };
}

/** A queue that delays each message by 5 s, and Lambda's pollers on it. */
function withSqs(ours: Service): Service {
  const { sqsRequestsAnOrder, sqsIdlePollsAMinute } = PRICES.assumptions;
  const polls = sqsIdlePollsAMinute.value * minutesAMonth();
  return {
    name: "SQS delay queue instead of Scheduler",
    perMillionOrders: [
      ...without(ours.perMillionOrders, PART.timer),
      line("SQS", "sqsRequest", sqsRequestsAnOrder.value * MILLION),
    ],
    perMonth: [...ours.perMonth, line("SQS, polls of an empty queue", "sqsRequest", polls)],
  };
}

/** The same scripts and log lines in containers that are always on, which time completions and polls themselves. */
function container(ours: Service, redis: "ElastiCache" | "Upstash"): Service {
  const { hoursAMonth, containerTasks, containerVcpu, containerGb, containerAddresses, ...more } = PRICES.assumptions;
  const hours = hoursAMonth.value;
  const requests = ours.perMillionOrders.find(({ part }) => part === PART.api)?.quantity ?? 0;
  const kept: readonly string[] = [PART.ownLogs, ...(redis === "Upstash" ? [PART.commands, PART.storage] : [])];
  const fixed: readonly string[] = [PART.metrics, PART.alarms, PART.dashboard, PART.secret];
  return {
    name: `containers and ${redis}`,
    perMillionOrders: [
      line("load balancer, capacity", "albCapacityUnitHour", requests / more.requestsACapacityUnitHour.value),
      ...ours.perMillionOrders.filter(({ part }) => kept.includes(part)),
    ],
    perMonth: [
      line("Fargate, CPU", "fargateVcpuHour", containerTasks.value * containerVcpu.value * hours),
      line("Fargate, memory", "fargateGbHour", containerTasks.value * containerGb.value * hours),
      line("load balancer", "albHour", hours),
      line("public addresses", "publicIpv4Hour", containerAddresses.value * hours),
      ...(redis === "ElastiCache"
        ? [line("ElastiCache", "cacheNodeHour", more.cacheNodes.value * hours)]
        : ours.perMonth.filter(({ part }) => part.startsWith(PART.commands))),
      ...ours.perMonth.filter(({ part }) => fixed.includes(part)),
    ],
  };
}

const without = (lines: readonly Line[], dropped: string): Line[] => lines.filter(({ part }) => part !== dropped);
