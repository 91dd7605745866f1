import { z } from "zod";

const Count = z.int().nonnegative();
const Milliseconds = z.number().nonnegative();

/** What all calls of one operation used. */
const Operation = z.strictObject({
  functionName: z.string(),
  memoryMb: z.int().positive(),
  calls: z.int().positive(),
  warmCalls: Count,
  /** Of all warm calls, each rounded up to 1 ms. */
  warmBilledMs: Count,
  warmMedianMs: Milliseconds,
  /** The first call of an instance, with its initialization, rounded up to 1 ms together. */
  coldCalls: Count,
  coldBilledMs: Count,
  /** What the function itself wrote, metrics included. */
  logBytes: Count,
  httpRequests: Count,
  redisRequests: Count,
  schedulerRequests: Count,
  /** As Upstash bills them, by name. */
  commands: z.record(z.string(), Count),
});
export type Operation = z.infer<typeof Operation>;

/** What is there all month, by the number. */
const Infrastructure = z.strictObject({
  alarmMetrics: Count,
  customMetrics: Count,
  /** Of routes that orders take: API Gateway's detailed metrics are custom metrics to CloudWatch. */
  routeMetrics: Count,
  dashboards: Count,
  secrets: Count,
  /** Of one request, by API Gateway. */
  accessLogBytes: Count,
});
export type Infrastructure = z.infer<typeof Infrastructure>;

/** Everything that a run counted: the cost is arithmetic on it. */
export const Counts = z.strictObject({
  orders: z.int().positive(),
  /** Of the orders, refunded. */
  refundShare: z.number().min(0).max(1),
  /** In Redis, of one order and its announcement. */
  storedBytesAnOrder: z.number().positive(),
  operations: z.strictObject({
    create: Operation,
    get: Operation,
    complete: Operation,
    /** A run of the poller that finds one request. */
    drainOne: Operation,
    drainIdle: Operation,
    sweepIdle: Operation,
  }),
  infrastructure: Infrastructure,
});
export type Counts = z.infer<typeof Counts>;
export type OperationName = keyof Counts["operations"];
