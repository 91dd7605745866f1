import { describe, expect, test } from "vitest";
import {
  billedMs,
  type Line,
  monthlyBill,
  ordersBill,
  plansOf,
  readInfrastructure,
  totalUsd,
  usdOf,
} from "../../tools/cost/cost.ts";
import { type Counts, countOperations, type Operation } from "../../tools/cost/count.ts";

/** What one call of each operation runs on Redis. A command more costs two dollars per million of these calls. */
const EXPECTED_COMMANDS = {
  create: { evalsha: 1, set: 1, zadd: 1, hset: 1 },
  get: { hgetall: 1 },
  complete: { evalsha: 1, hmget: 1, xadd: 1, hset: 1, zrem: 1 },
  // Reads and settles. Both scripts ask what is pending.
  drainOne: {
    ...{ evalsha: 2, xpending: 2, xreadgroup: 1, xlen: 4 },
    ...{ xack: 1, hget: 1, hset: 1, zrem: 1, xdel: 1 },
  },
  drainIdle: { evalsha: 1, xpending: 1, xreadgroup: 1, xlen: 2, "xinfo|stream": 1 },
  sweepIdle: { zrange: 1, zcount: 1, evalsha: 1, exists: 1, "xinfo|groups": 1 },
} as const;

test("a counted run has the Redis commands, requests, time, log and memory of each operation", async () => {
  const { operations } = await countOperations(16, () => undefined);

  const commands = Object.entries(operations).map(([name, operation]) => [name, operation.commands]);
  expect(Object.fromEntries(commands)).toEqual(EXPECTED_COMMANDS);
  expect(operations.create.requests).toEqual({ upstash: 1, scheduler: 1 });
  expect(operations.get.requests).toEqual({ upstash: 1, scheduler: 0 });
  expect(operations.complete.requests).toEqual({ upstash: 1, scheduler: 0 });
  for (const [name, { warmMs, coldMs, logBytes, memoryMb }] of Object.entries(operations)) {
    expect(coldMs).toBeGreaterThan(warmMs);
    expect(Math.min(warmMs, logBytes)).toBeGreaterThan(0);
    expect(memoryMb).toBe(name === "create" ? 512 : 256);
  }
});

test("alarms, metrics and dashboard are counted in the stack", async () => {
  const { alarmMetrics, customMetrics, dashboards } = await readInfrastructure();

  expect(alarmMetrics).toBeGreaterThan(20);
  expect(customMetrics).toBeGreaterThan(10);
  expect(dashboards).toBe(1);
});

describe("the bill", () => {
  const OPERATION: Operation = {
    ...{ functionName: "getOrder", memoryMb: 256, warmMs: 2.5, coldMs: 103, logBytes: 200 },
    ...{ requests: { upstash: 1, scheduler: 0 }, commands: { hgetall: 1 } },
  };
  const COUNTS: Counts = {
    storedBytesPerOrder: 400,
    operations: {
      create: { ...OPERATION, requests: { upstash: 1, scheduler: 1 } },
      get: OPERATION,
      complete: OPERATION,
      drainOne: { ...OPERATION, commands: { evalsha: 6 } },
      drainIdle: { ...OPERATION, commands: { evalsha: 2 } },
      sweepIdle: OPERATION,
    },
  };
  const orders = ordersBill(COUNTS, 2);
  const month = monthlyBill(COUNTS, { alarmMetrics: 10, customMetrics: 5, dashboards: 1 });
  const quantityOf = (lines: readonly Line[], part: string) => lines.find((line) => line.part === part)?.quantity;

  test("has what each order uses, at list prices", () => {
    expect(quantityOf(orders, "API Gateway, HTTP API")).toBe(3e6);
    expect(quantityOf(orders, "Lambda, requests")).toBe(4e6);
    expect(quantityOf(orders, "EventBridge Scheduler")).toBe(1e6);
    expect(usdOf(orders, "API Gateway, HTTP API")).toBe(3);
    // Placing, completing and two reads; four more commands for each twentieth order.
    expect(usdOf(orders, "Upstash, commands")).toBeCloseTo(4.2 * 2, 9);
    expect(usdOf(month, "CloudWatch, alarms")).toBeCloseTo(1, 9);
    expect(usdOf(month, "Upstash, commands of the pollers")).toBeCloseTo((43_200 * 3 * 2) / 1e6, 9);
    expect(totalUsd(month)).toBeGreaterThan(6);
  });

  test("takes time on Lambda as CPU time, plus the waits and the share of cold starts", () => {
    // 1769 / 256 times as long, and 3 ms for Redis: 20.3 and 714.7, rounded up.
    expect(billedMs(OPERATION)).toBeCloseTo(0.99 * 21 + 0.01 * 715, 9);
  });

  test("costs the same on a Fixed plan as on Pay-as-you-go at the break-even", () => {
    const [plan] = plansOf(COUNTS, orders, month);
    const perOrder = usdOf(orders, "Upstash, commands") / 1e6;
    const idle = usdOf(month, "Upstash, commands of the pollers");
    expect(idle + perOrder * (plan?.breakEvenOrders ?? 0)).toBeCloseTo(10, 9);
    expect(plan?.capacityOrders).toBeCloseTo(250e6 / 400, 6);
  });
});
