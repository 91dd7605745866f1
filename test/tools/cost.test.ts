import { describe, expect, test } from "vitest";
import {
  billedMs,
  type Line,
  monthlyBill,
  ordersBill,
  plansOf,
  readInfrastructure,
  sweepIsCheaperFrom,
  totalUsd,
  usdOf,
} from "../../lab/cost/cost.ts";
import { type Counts, countOperations, type Operation, SWEPT_ORDERS } from "../../lab/cost/count.ts";

/** How many times a run of `sweep` reads the index, and how many of its passes complete something. */
const RUN_IDLE = { reads: 13, passes: 0 };
const RUN_SLOW = { reads: 257, passes: 256 };
/** Ten orders become due in the 200 ms that a run waits at least. */
const RUN_FAST = { reads: 321, passes: 320 };

/** What one call of each operation runs on Redis. A command more costs two dollars per million of these calls. */
const EXPECTED_COMMANDS = {
  create: { evalsha: 1, set: 1, zadd: 1, hset: 1 },
  createForSweep: { evalsha: 1, set: 1, zadd: 1, hset: 1 },
  get: { hgetall: 1 },
  complete: { evalsha: 1, hmget: 1, xadd: 1, hset: 1, zrem: 1 },
  // Reads and settles. Both scripts ask what is pending.
  drainOne: {
    ...{ evalsha: 2, xpending: 2, xreadgroup: 1, xlen: 4 },
    ...{ xack: 1, hget: 1, hset: 1, zrem: 1, xdel: 1 },
  },
  drainIdle: { evalsha: 1, xpending: 1, xreadgroup: 1, xlen: 2, "xinfo|stream": 1 },
  sweepIdle: { zrange: 1, zcount: 1, evalsha: 1, "xinfo|groups": 1, xlen: 1 },
  runIdle: runCommands(RUN_IDLE, 0),
  runSlow: runCommands(RUN_SLOW, SWEPT_ORDERS.runSlow),
  runFast: runCommands(RUN_FAST, SWEPT_ORDERS.runFast),
};

/** The commands of a run of `sweep`: for its gauges, each pass and each order. */
function runCommands({ reads, passes }: typeof RUN_IDLE, orders: number): Operation["commands"] {
  const gauges = { zcount: 1, "xinfo|groups": 1, xlen: 1 };
  const completed = orders > 0 && { zrem: passes, hmget: orders, xadd: orders, hset: orders };
  return { ...gauges, zrange: reads, evalsha: passes + 1, ...completed };
}

test("a counted run has the Redis commands, requests, time, log and memory of each operation", async () => {
  const { operations } = await countOperations(16, () => undefined);

  const commands = Object.entries(operations).map(([name, operation]) => [name, operation.commands]);
  expect(Object.fromEntries(commands)).toEqual(EXPECTED_COMMANDS);
  for (const name of ["create", "createForSweep", "get", "complete"] as const) {
    expect(operations[name].requests).toEqual({ upstash: 1, scheduler: name === "create" ? 1 : 0 });
  }
  for (const { warmMs, coldMs, runMs, logBytes, memoryMb, functionName } of Object.values(operations)) {
    if (runMs === undefined) expect(coldMs).toBeGreaterThan(warmMs);
    expect(Math.min(warmMs, logBytes)).toBeGreaterThan(0);
    expect(memoryMb).toBe(functionName === "createOrder" ? 512 : 256);
  }
});

test("alarms, metrics and dashboard are counted in the stack", async () => {
  const { alarmMetrics, customMetrics, dashboards } = readInfrastructure();

  expect(alarmMetrics).toBeGreaterThan(20);
  expect(customMetrics).toBeGreaterThan(10);
  expect(dashboards).toBe(1);
});

describe("the bill", () => {
  const OPERATION: Operation = {
    ...{ functionName: "getOrder", memoryMb: 256, warmMs: 2.5, coldMs: 103, logBytes: 200 },
    ...{ requests: { upstash: 1, scheduler: 0 }, commands: { hgetall: 1 } },
  };
  // An order takes three commands, a pass two, an idle run ten.
  const run = (orders: number, passes: number): Operation => ({
    ...OPERATION,
    runMs: 65_000,
    commands: { hgetall: 3 * orders, zrem: passes, zrange: passes + 10 },
  });
  const COUNTS: Counts = {
    storedBytesPerOrder: 400,
    operations: {
      create: { ...OPERATION, requests: { upstash: 1, scheduler: 1 } },
      createForSweep: OPERATION,
      get: OPERATION,
      complete: { ...OPERATION, commands: { evalsha: 5 } },
      drainOne: { ...OPERATION, commands: { evalsha: 6 } },
      drainIdle: { ...OPERATION, commands: { evalsha: 2 } },
      sweepIdle: OPERATION,
      runIdle: run(0, 0),
      runSlow: run(SWEPT_ORDERS.runSlow, SWEPT_ORDERS.runSlow),
      runFast: run(SWEPT_ORDERS.runFast, SWEPT_ORDERS.runFast / 10),
    },
  };
  const INFRASTRUCTURE = { alarmMetrics: 10, customMetrics: 5, dashboards: 1 };
  /** One order per second. */
  const PER_SECOND = 2_592_000;
  const quantityOf = (lines: readonly Line[], part: string) => lines.find((line) => line.part === part)?.quantity;
  const commandsUsd = (lines: readonly Line[]) =>
    totalUsd(lines.filter(({ part }) => part.startsWith("Upstash, commands")));

  test("of orders has what each uses, at list prices", () => {
    const orders = ordersBill(COUNTS, "scheduler", 2);
    expect(quantityOf(orders, "API Gateway, HTTP API")).toBe(3e6);
    expect(quantityOf(orders, "Lambda, requests")).toBe(4e6);
    expect(quantityOf(orders, "EventBridge Scheduler")).toBe(1e6);
    expect(usdOf(orders, "API Gateway, HTTP API")).toBe(3);
    // Placing, two reads and five to complete; four more commands for each twentieth order.
    expect(usdOf(orders, "Upstash, commands")).toBeCloseTo(8.2 * 2, 9);
  });

  test("of orders with sweep has neither schedules nor invocations that complete them, and passes that orders share", () => {
    const orders = ordersBill(COUNTS, "sweep", 2, PER_SECOND);
    expect(quantityOf(orders, "EventBridge Scheduler")).toBe(0);
    expect(quantityOf(orders, "Lambda, requests")).toBe(3 * PER_SECOND);
    // Placing, two reads, a fifth for refunds, three to complete; at one order per second 1.2 per pass. Runs of 65 s overlap.
    const perOrder = 3 + 0.2 + 3 + (2 / 1.2) * (65 / 60);
    expect(quantityOf(orders, "Upstash, commands")).toBeCloseTo(perOrder * PER_SECOND, 3);
  });

  test("of a month has the runs of the pollers, and what exists all the time", () => {
    const [scheduler, sweep] = (["scheduler", "sweep"] as const).map((mode) =>
      monthlyBill(COUNTS, mode, INFRASTRUCTURE),
    );
    expect(usdOf(scheduler ?? [], "CloudWatch, alarms")).toBeCloseTo(1, 9);
    expect(quantityOf(scheduler ?? [], "Upstash, commands of the pollers")).toBe(43_200 * 3);
    expect(quantityOf(sweep ?? [], "Upstash, commands of the pollers")).toBe(43_200 * 12);
    // A run is billed for all of its 65 s at 256 MB.
    const drainGbSeconds = (billedMs(OPERATION) / 1_000) * 0.25;
    const gbSeconds = quantityOf(sweep ?? [], "Lambda, compute of the pollers") ?? Number.NaN;
    expect(gbSeconds).toBeCloseTo(43_200 * (65 * 0.25 + drainGbSeconds), 3);
  });

  test("takes time on Lambda as CPU time, plus the waits and the share of cold starts", () => {
    // 1769 / 256 times as long, and 3 ms for Redis: 20.3 and 714.7, rounded up.
    expect(billedMs(OPERATION)).toBeCloseTo(0.99 * 21 + 0.01 * 715, 9);
  });

  test.for(["scheduler", "sweep"] as const)(
    "of %s costs the same on a Fixed plan as on Pay-as-you-go at the break-even",
    (mode) => {
      const [plan] = plansOf(COUNTS, 2);
      const lines = (orders: number) => [
        ...ordersBill(COUNTS, mode, 2, orders),
        ...monthlyBill(COUNTS, mode, INFRASTRUCTURE),
      ];
      const from = plan?.cheaperFrom[mode] ?? Number.NaN;
      expect(commandsUsd(lines(from))).toBeGreaterThanOrEqual(10);
      expect(commandsUsd(lines(from - 1))).toBeLessThan(10);
      expect(plan?.capacityOrders).toBeCloseTo(250e6 / 400, 6);
    },
  );

  test.for(["payAsYouGo", "fixed"] as const)(
    "of sweep is smaller than that of scheduler from the break-even on, %s",
    (plan) => {
      const usd = (mode: "scheduler" | "sweep", orders: number) => {
        const lines = [...ordersBill(COUNTS, mode, 2, orders), ...monthlyBill(COUNTS, mode, INFRASTRUCTURE)];
        return totalUsd(lines) - (plan === "fixed" ? commandsUsd(lines) : 0);
      };
      const from = sweepIsCheaperFrom(COUNTS)[plan] ?? Number.NaN;
      expect(usd("sweep", from + 1_000)).toBeLessThan(usd("scheduler", from + 1_000));
      expect(usd("sweep", from - 1_000)).toBeGreaterThan(usd("scheduler", from - 1_000));
    },
  );
});
