import { beforeAll, describe, expect, test } from "vitest";
import { runScript } from "../../test/support/run.ts";
import type { OperationName } from "./counts.ts";
import { EXPECTED_COMMANDS } from "./expected-commands.ts";
import { Report } from "./report.ts";

const ORDERS = 20;
const MOST_MS = 150_000;
/** What the run needs to end its processes when it is stopped: a hook has no signal of its own. */
const END_MS = 10_000;

const OPERATIONS = Object.keys(EXPECTED_COMMANDS) as OperationName[];

let stdout: string;
let report: Report;

beforeAll(async () => {
  const inTime = AbortSignal.timeout(MOST_MS);
  const ran = await runScript("tools/cost/main.ts", ["--orders", String(ORDERS)], process.env, inTime);
  expect(ran.code, ran.stderr).toBe(0);
  stdout = ran.stdout;
  report = Report.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
}, MOST_MS + END_MS);

describe("a run that counts the cost of orders", () => {
  test.for(OPERATIONS)("bills exactly the Redis commands that are expected to %s", (name) => {
    const { calls, commands } = report.counts.operations[name];
    const perCall = Object.entries(commands).map(([command, times]) => [command, times / calls]);
    expect(Object.fromEntries(perCall)).toEqual(EXPECTED_COMMANDS[name]);
  });

  test("makes one request to the API for placing and one for reading, and one schedule", () => {
    const { create, get, complete } = report.counts.operations;
    expect([create, get, complete].map(({ calls }) => calls)).toEqual([ORDERS, ORDERS, ORDERS]);
    expect([create, get, complete].map(({ httpRequests }) => httpRequests)).toEqual([ORDERS, ORDERS, 0]);
    expect([create, get, complete].map(({ schedulerRequests }) => schedulerRequests)).toEqual([ORDERS, 0, 0]);
    expect([create, get, complete].map(({ redisRequests }) => redisRequests)).toEqual([ORDERS, ORDERS, ORDERS]);
  });

  test("bills of a million orders the requests, invocations and schedules that it counted", () => {
    const quantities = Object.fromEntries(
      report.service.per_million_orders.map(({ part, quantity }) => [part, Math.round(quantity)]),
    );
    expect(quantities).toMatchObject({
      "API Gateway, HTTP API": 2_000_000,
      "Lambda, requests": 3_000_000,
      "EventBridge Scheduler": 1_000_000,
      // 4 + 1 + 5, and for one order of twenty a drain that finds a refund instead of none: 16 - 5.
      "Upstash, commands": 10_550_000,
    });
  });

  test("has parts that sum up to its totals", () => {
    const sum = (lines: readonly { usd: number }[]) => lines.reduce((total, { usd }) => total + usd, 0);
    for (const bill of [report.service, ...report.rivals]) {
      expect(sum(bill.per_million_orders)).toBeCloseTo(bill.per_million_orders_usd, 9);
      expect(sum(bill.per_month)).toBeCloseTo(bill.per_month_usd, 9);
      // A million orders a month is what it is asked about by default.
      expect(bill.per_million_orders_usd + bill.per_month_usd).toBeCloseTo(bill.total_usd, 9);
    }
  });

  test("finds time, log and memory used by every operation", () => {
    for (const name of OPERATIONS) {
      const { warmBilledMs, warmCalls, coldBilledMs, logBytes, memoryMb } = report.counts.operations[name];
      expect(warmBilledMs).toBeGreaterThanOrEqual(warmCalls);
      expect(coldBilledMs).toBeGreaterThan(0);
      expect(logBytes).toBeGreaterThan(0);
      expect(memoryMb).toBe(name === "create" ? 512 : 256);
    }
  });

  test("prints what it found as tables too, and which prices were not verified", () => {
    expect(stdout).toContain(`**$${report.service.per_million_orders_usd.toFixed(2)}**`);
    for (const { name } of report.rivals) expect(stdout).toContain(`\n| ${name} `);
    expect(stdout).toMatch(/^Prices not verified for eu-central-1: \w+/m);
  });
});

test("an option that is no number is refused in one line, with the options", { timeout: MOST_MS }, async ({
  signal,
}) => {
  const args = ["--orders", "many"];
  const { code, stdout: printed, stderr } = await runScript("tools/cost/main.ts", args, process.env, signal);
  expect([code, printed]).toEqual([2, ""]);
  expect(stderr).toMatch(/^--orders: .+\n\nnpm run cost/);
});
