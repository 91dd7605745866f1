import { beforeAll, describe, expect, test } from "vitest";
import { type Bill, billedMs, billOf, totalUsd } from "../../tools/cost/cost.ts";
import { type Counts, countOperations, type Operation } from "../../tools/cost/count.ts";
import { type Infrastructure, readInfrastructure } from "../../tools/cost/infrastructure.ts";

/** What one call of each operation runs on Redis. A command more costs two dollars per million of these calls. */
const EXPECTED_COMMANDS = {
  create: { evalsha: 1, set: 1, zadd: 1, hset: 1 },
  get: { hgetall: 1 },
  complete: { evalsha: 1, hmget: 1, xadd: 1, hset: 1, zrem: 1 },
  // Reads, settles, and reads again to see that nothing is left.
  drainOne: {
    ...{ evalsha: 3, xautoclaim: 1, xreadgroup: 2, xlen: 4, xpending: 1 },
    ...{ xack: 1, hget: 1, hset: 1, zrem: 1, xdel: 1 },
  },
  drainIdle: { evalsha: 1, xautoclaim: 1, xreadgroup: 1, xlen: 2 },
  sweepIdle: { zrange: 1, zcount: 1, evalsha: 1, exists: 1, "xinfo|groups": 1 },
};

const OPERATIONS = Object.keys(EXPECTED_COMMANDS) as (keyof typeof EXPECTED_COMMANDS)[];

const quantities = (bill: Bill) =>
  Object.fromEntries(bill.perMillionOrders.map(({ part, quantity }) => [part, Math.round(quantity)]));

describe("a counted run", () => {
  let counts: Counts;
  let infrastructure: Infrastructure;

  beforeAll(async () => {
    counts = await countOperations(20, () => undefined);
    infrastructure = await readInfrastructure();
  });

  test.for(OPERATIONS)("has exactly the expected Redis commands of %s", (name) => {
    expect(counts.operations[name].commands).toEqual(EXPECTED_COMMANDS[name]);
  });

  test("has one request to the API per placed and per read order, and one schedule per order", () => {
    const requests = OPERATIONS.map((name) => [name, counts.operations[name].requests]);
    expect(Object.fromEntries(requests)).toMatchObject({
      create: { api: 1, upstash: 1, scheduler: 1 },
      get: { api: 1, upstash: 1, scheduler: 0 },
      complete: { api: 0, upstash: 1, scheduler: 0 },
    });
  });

  test("has the time, the log and the memory of every operation", () => {
    for (const name of OPERATIONS) {
      const { warmMs, coldMs, logBytes, memoryMb } = counts.operations[name];
      expect(coldMs).toBeGreaterThan(warmMs);
      expect(warmMs).toBeGreaterThan(0);
      expect(logBytes).toBeGreaterThan(0);
      expect(memoryMb).toBe(name === "create" ? 512 : 256);
    }
  });

  test("is billed for what it counted, reads included", () => {
    const bill = billOf(counts, infrastructure, { reads: 10, refunds: 0.05 });
    expect(quantities(bill)).toMatchObject({
      "API Gateway, HTTP API": 11_000_000,
      "Lambda, requests": 12_000_000,
      "EventBridge Scheduler": 1_000_000,
      // 4 + 5 + 10, and for one order of twenty a drain that finds a refund instead of none: 16 - 5.
      "Upstash, commands": 19_550_000,
    });
    expect(infrastructure.alarmMetrics).toBeGreaterThan(20);
    expect(infrastructure.customMetrics).toBeGreaterThan(10);
  });
});

describe("the bill", () => {
  const OPERATION: Operation = {
    functionName: "getOrder",
    memoryMb: 256,
    warmMs: 2.5,
    coldMs: 103,
    logBytes: 200,
    requests: { api: 1, upstash: 1, scheduler: 0 },
    commands: { hgetall: 1 },
  };
  const COUNTS: Counts = {
    storedBytesPerOrder: 400,
    operations: {
      create: { ...OPERATION, requests: { api: 1, upstash: 1, scheduler: 1 } },
      get: OPERATION,
      complete: { ...OPERATION, requests: { api: 0, upstash: 1, scheduler: 0 } },
      drainOne: { ...OPERATION, commands: { evalsha: 6 }, requests: { api: 0, upstash: 3, scheduler: 0 } },
      drainIdle: { ...OPERATION, commands: { evalsha: 2 }, requests: { api: 0, upstash: 1, scheduler: 0 } },
      sweepIdle: { ...OPERATION, requests: { api: 0, upstash: 1, scheduler: 0 } },
    },
  };
  const INFRASTRUCTURE = {
    alarmMetrics: 10,
    customMetrics: 5,
    routeMetrics: 2,
    dashboards: 1,
    secrets: 1,
    accessLogBytes: 250,
  };
  const bill = billOf(COUNTS, INFRASTRUCTURE, { reads: 2, refunds: 0.1 });
  const lineOf = (part: string) => [...bill.perMillionOrders, ...bill.perMonth].find((line) => line.part === part);

  test("has list prices, and shows what reads cost", () => {
    expect(lineOf("API Gateway, HTTP API")).toMatchObject({ quantity: 3e6, usd: 3, readsUsd: 2 });
    // Placing, completing and two reads; four more commands for each tenth order.
    expect(lineOf("Upstash, commands")?.usd).toBeCloseTo(4.4 * 2, 9);
    expect(lineOf("CloudWatch Logs, API")?.usd).toBeCloseTo(0.75 * 0.63, 9);
    expect(lineOf("CloudWatch, alarms")?.usd).toBeCloseTo(1, 9);
    expect(lineOf("Upstash, commands of the pollers")?.usd).toBeCloseTo((43_200 * 3 * 2) / 1e6, 9);
    expect(totalUsd(bill.perMonth)).toBeGreaterThan(6);
  });

  test("takes time on Lambda as CPU time, plus the waits and the share of cold starts", () => {
    // 1769 / 256 times as long, and 3 ms for Redis: 20.3 and 714.7, rounded up.
    expect(billedMs(OPERATION)).toBeCloseTo(0.99 * 21 + 0.01 * 715, 9);
  });

  test("costs the same on a Fixed plan as on Pay-as-you-go at the break-even", () => {
    const [plan] = bill.plans;
    const perOrder = (lineOf("Upstash, commands")?.usd ?? 0) / 1e6;
    const idle = lineOf("Upstash, commands of the pollers")?.usd ?? 0;
    expect(idle + perOrder * (plan?.breakEvenOrders ?? 0)).toBeCloseTo(10, 9);
    expect(plan?.capacityOrders).toBeCloseTo(250e6 / 400, 6);
  });
});
