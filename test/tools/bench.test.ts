import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { measureHttp, perSecond } from "../../lab/bench/http-load.ts";
import { measureLateness } from "../../lab/bench/lateness.ts";
import { barChart, comparisonTables } from "../../lab/bench/report.ts";
import { startStacks } from "../../lab/bench/stack.ts";
import { interleave, median, meetsTarget, p99, percentile, type Row } from "../../lab/bench/statistics.ts";
import { buildBundles } from "../../lab/lambda-host/bundles.ts";
import { answering } from "../support/servers.ts";

const COMPLETION_MS = 300;
const SCHEDULE_DELAY_MS = 3_000;

/** An order service of another make: its orders have an id, and complete after 0.3 s. */
function orderServer(delayMs: number): Promise<string> {
  const placedAt: number[] = [];
  return answering(async (request, response) => {
    await sleep(delayMs);
    response.setHeader("content-type", "application/json");
    if (request.method === "POST") {
      request.resume();
      return response.end(JSON.stringify({ id: placedAt.push(Date.now()) - 1 }));
    }
    const id = Number(request.url?.split("/").at(-1));
    const age = Date.now() - (placedAt[id] ?? Number.NaN);
    if (Number.isNaN(age)) return response.writeHead(404).end("{}");
    return response.end(JSON.stringify({ id, status: age > COMPLETION_MS ? "completed" : "pending" }));
  });
}

test("two services get the same load in turns, and a table compares them", async () => {
  const urls = [await orderServer(0), await orderServer(20)];
  const turns: string[] = [];

  const settings = { connections: [8], rounds: 1, warmUp: 8, seconds: 1, leadSeconds: 0, burst: 20 };
  const results = await measureHttp(urls, settings, (line) => turns.push(line));

  const [first, second] = [0, 1].map((service) => turns.filter((line) => line.includes(urls[service] ?? "")).length);
  expect([first, second]).toEqual([3, 3]);
  for (const { connections, loads } of results.loads) {
    const [, slow = Number.NaN] = loads.map(perSecond);
    // A reply takes 20 ms.
    expect(slow).toBeLessThanOrEqual(connections * 50);
    expect(Math.min(...(loads[1]?.flatMap(({ latenciesMs }) => latenciesMs) ?? []))).toBeGreaterThan(18);
  }
  for (const seconds of results.burstSeconds.flat()) expect(seconds).toBeGreaterThan(COMPLETION_MS / 1_000);
  const tables = comparisonTables(results, ["fast", "slow"], settings.burst);
  expect(tables).toMatch(/^\| GET \/orders\/\{pk\}, 8 connections \| fast +\| +[\d,.]+ \| +\d+(\.\d+)? \|/m);
  expect(tables).toMatch(/^\| +\| slow +\| +[\d,.]+ \| +1 \| .+ – \|$/m);
  expect(tables).toMatch(/^\| slow +\| +0\.\d+ \|$/m);
});

test("lateness is from the due time to the announcement, and commands are those of all orders", async () => {
  using bundles = await buildBundles();
  await using stacks = await startStacks({ bundles, scheduleDelayMs: () => SCHEDULE_DELAY_MS });

  const settings = { comparedRate: 2, rates: [], seconds: 1, burst: 3 };
  const rows = await measureLateness(stacks, settings, () => undefined);

  const valueAt = (measure: string) => rows.find((row) => row.measure === measure)?.value;
  expect(valueAt("scheduler: lateness, 2 orders per second, p50")).toBeGreaterThanOrEqual(SCHEDULE_DELAY_MS);
  for (const load of ["2 orders per second", "3 orders at once"]) {
    expect(valueAt(`sweep: lateness, ${load}, p50`)).toBeGreaterThanOrEqual(0);
  }
  // Four to create an order and five to complete it, at least.
  const commands = rows.find(({ group }) => group === "commands");
  expect(commands?.baseline).toBeGreaterThanOrEqual(9);
  expect(commands?.value).toBeGreaterThanOrEqual(7);
});

test("a service that fails is not measured", async () => {
  const url = await answering((_, response) => response.writeHead(500).end());

  const measured = measureHttp(
    [url],
    { connections: [1], rounds: 1, warmUp: 1, seconds: 1, leadSeconds: 0, burst: 1 },
    () => undefined,
  );

  await expect(measured).rejects.toThrow(`POST ${url}/orders was answered 500`);
});

test.for<[given: Partial<Row>, met: boolean | undefined]>([
  [{ atMost: 1.5 }, true],
  [{ atMost: 1.4 }, false],
  [{ asDifference: true, atMost: 0.5 }, true],
  [{ asDifference: true, atMost: 0.4 }, false],
  [{ baseline: undefined, atLeast: 1.6 }, false],
  [{ baseline: undefined, atLeast: 1.5 }, true],
  [{ value: Number.NaN, atMost: 9 }, false],
  [{}, undefined],
])("a row with %j meets its target: %s", ([given, met]) => {
  const row: Row = { group: "cpu", measure: "a call", name: "getOrder", unit: "ms", value: 1.5, baseline: 1 };

  expect(meetsTarget({ ...row, ...given })).toBe(met);
});

test("a median is the middle value, the lower one of two", () => {
  expect(median([9, -5, 30])).toBe(9);
  expect(median([4, 10, 2, 1])).toBe(2);
});

test("a percentile is the smallest value that a share of the values does not exceed", () => {
  expect(percentile([4, 1, 3, 2], 0.5)).toBe(2);
  expect(percentile([4, 1, 3, 2], 0.99)).toBe(4);
});

test("a p99 is the value that 99 % do not exceed, and takes 2,000 calls", () => {
  const values = Array.from({ length: 2_000 }, (_, index) => index + 1);
  expect(p99(values)).toBe(1_980);
  expect(p99(values.slice(1))).toBeUndefined();
});

test("sides take turns, in the opposite order every other round", async () => {
  const order: string[] = [];
  const side = (name: string) => async (index: number) => {
    await sleep(1);
    order.push(`${name}${index}`);
    return `${name}${index}`;
  };
  const [a, b] = await interleave([side("a"), side("b")], 2, 2);

  const rounds = [a, b].map((results) => results?.map((round) => round.join()));
  expect(rounds).toEqual([
    ["a0,a1", "a2,a3"],
    ["b0,b1", "b2,b3"],
  ]);
  expect(order.join()).toBe("a0,a1,b0,b1,b2,b3,a2,a3");
});

test("a chart has a bar for each row", () => {
  const row = (at: number, name: string, value: number): Row => {
    return { group: "throughput", measure: `${at} connections`, name, at, unit: "/s", value };
  };

  const chart = barChart("POST", [row(1, "POST", 2_040.4), row(8, "POST, sweep", 3_823)]);

  expect(chart).toContain('x-axis ["1 connection", "8 connections, sweep"]\n  y-axis 0 --> 3820\n  bar [2040, 3820]');
});
