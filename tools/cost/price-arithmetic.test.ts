import { describe, expect, test } from "vitest";
import type { Counts, Operation } from "./counts.ts";
import { line } from "./line.ts";
import { PRICES, usdOf } from "./prices.ts";
import { difference, parseCommandStats, sum } from "./redis-commands.ts";
import { breakEven, rivals } from "./rivals.ts";
import { monthlyUsd, thisService } from "./service.ts";
import { durationOf, total, usageOf } from "./usage.ts";

const OPERATION: Operation = {
  functionName: "getOrder",
  memoryMb: 256,
  calls: 10,
  warmCalls: 9,
  warmBilledMs: 27,
  warmMedianMs: 2.5,
  coldCalls: 1,
  coldBilledMs: 103,
  logBytes: 2_000,
  httpRequests: 10,
  redisRequests: 10,
  schedulerRequests: 0,
  commands: { hgetall: 10 },
};

const COUNTS: Counts = {
  orders: 10,
  refundShare: 0.1,
  storedBytesAnOrder: 400,
  operations: {
    create: { ...OPERATION, schedulerRequests: 10 },
    get: OPERATION,
    complete: { ...OPERATION, httpRequests: 0 },
    drainOne: { ...OPERATION, commands: { evalsha: 60 }, httpRequests: 0 },
    drainIdle: { ...OPERATION, commands: { evalsha: 20 }, httpRequests: 0 },
    sweepIdle: { ...OPERATION, httpRequests: 0 },
  },
  infrastructure: {
    alarmMetrics: 10,
    customMetrics: 5,
    routeMetrics: 2,
    dashboards: 1,
    secrets: 1,
    accessLogBytes: 250,
  },
};

const usd = (lines: readonly { part: string; usd: number }[], part: string) =>
  lines.find((entry) => entry.part === part)?.usd;

describe("prices", () => {
  test("are for a quantity of their unit", () => {
    expect(usdOf(PRICES.prices.upstashCommand, 13_000_000)).toBeCloseTo(26, 9);
    expect(line("logs", "logsGb", 2, 1)).toEqual({
      part: "logs",
      quantity: 2,
      unit: "GB",
      usd: 1.26,
      measuredUsd: 0.63,
    });
  });

  test("say so where they were not verified", () => {
    for (const { verified, note } of Object.values(PRICES.prices))
      expect(/unverified|no Region/.test(note)).toBe(!verified);
  });
});

describe("what a call is billed", () => {
  test("has cold starts in their share, as measured and as Lambda would take", () => {
    const { measuredMs, modelledMs } = durationOf(OPERATION, PRICES);
    expect(measuredMs).toBeCloseTo(0.99 * 3 + 0.01 * 103, 9);
    // 1769 / 256 times as long, and 3 ms for Redis: 20.3 and 714.7, rounded up.
    expect(modelledMs).toBeCloseTo(0.99 * 21 + 0.01 * 715, 9);
  });

  test("is memory times time", () => {
    const used = usageOf(OPERATION, PRICES);
    expect(used.gbSeconds).toBeCloseTo((0.25 * (0.99 * 21 + 0.01 * 715)) / 1000, 12);
    expect(used).toMatchObject({ invocations: 1, commands: 1, ownLogBytes: 200 });
    expect(total([3, used], [-1, used]).commands).toBe(2);
  });
});

describe("the service", () => {
  test("costs per million orders what they use, refunds in their share", () => {
    const { perMillionOrders } = thisService(COUNTS);
    expect(usd(perMillionOrders, "API Gateway, HTTP API")).toBeCloseTo(2.4, 9);
    expect(usd(perMillionOrders, "Lambda, requests")).toBeCloseTo(0.6, 9);
    expect(usd(perMillionOrders, "EventBridge Scheduler")).toBeCloseTo(1, 9);
    // One command to place, read and complete; 6 instead of 2 for each tenth order.
    expect(usd(perMillionOrders, "Upstash, commands")).toBeCloseTo(3.4 * 2, 9);
    expect(usd(perMillionOrders, "CloudWatch Logs, what the API writes")).toBeCloseTo(0.5 * 0.63, 9);
  });

  test("costs per month what runs every minute, and what watches it", () => {
    const { perMonth } = thisService(COUNTS);
    expect(usd(perMonth, "Upstash, commands: what runs every minute")).toBeCloseTo((43_200 * 3 * 2) / 1e6, 9);
    expect(usd(perMonth, "CloudWatch, alarms")).toBeCloseTo(1, 9);
  });
});

describe("the rivals", () => {
  test("differ from the service in the timer alone, where that is what they replace", () => {
    const ours = thisService(COUNTS);
    const [stepFunctions, sqs] = rivals(COUNTS).map((rival) => monthlyUsd(rival, 1_000_000));
    expect(stepFunctions).toBeCloseTo(monthlyUsd(ours, 1_000_000) - 1 + 2 * 25, 9);
    expect(sqs).toBeCloseTo(monthlyUsd(ours, 1_000_000) - 1 + 3 * 0.4 + 0.648 * 0.4, 9);
  });

  test("cost the same as the service at their break-even, and containers less above it", () => {
    const name = "containers and ElastiCache";
    const even = breakEven(COUNTS, name) ?? Number.NaN;
    const difference = (orders: number) => {
      const rival = rivals(COUNTS).find((one) => one.name === name);
      return rival ? monthlyUsd(thisService(COUNTS), orders) - monthlyUsd(rival, orders) : Number.NaN;
    };
    expect(difference(even)).toBeCloseTo(0, 3);
    expect(difference(even * 2)).toBeGreaterThan(0);
    expect(difference(even / 2)).toBeLessThan(0);
    expect(breakEven(COUNTS, "Step Functions instead of Scheduler")).toBeUndefined();
  });
});

describe("Redis commands", () => {
  const before =
    "# Commandstats\r\ncmdstat_evalsha:calls=2,usec=9\r\ncmdstat_info:calls=4,usec=9\r\ncmdstat_hset:calls=1,usec=1\r\n";
  const after =
    "cmdstat_evalsha:calls=5,usec=9\r\ncmdstat_client|setinfo:calls=2,usec=1\r\ncmdstat_hset:calls=1,usec=1\r\ncmdstat_set:calls=1,usec=2\r\n";

  test("are counted by name between two looks, without what connections send for themselves", () => {
    const ran = difference(parseCommandStats(before), parseCommandStats(after));
    expect(ran).toEqual({ evalsha: 3, set: 1 });
    expect(sum([ran, ran, { get: 1 }])).toEqual({ evalsha: 6, set: 2, get: 1 });
  });
});
