import { randomInt } from "node:crypto";
import { Completion } from "../../lib/orders/completion-delay.ts";
import type { Outcome } from "../../tools/command.ts";
import { buildBundles } from "../lambda-host/bundles.ts";
import { writeResults } from "../results.ts";
import { measureBatches, measureGrowth } from "./batches.ts";
import { measureWarmCalls } from "./calls.ts";
import { burstRow, loadRows, measureBursts, measureHttp, measureLoads } from "./http-load.ts";
import { measureColdStarts, measureMemory } from "./instances.ts";
import { measureLateness } from "./lateness.ts";
import { comparisonTables, resultsOf, rowsTable } from "./report.ts";
import { HELD_MS, keepSweeping, startStack, startStacks } from "./stack.ts";
import type { Row } from "./statistics.ts";

const BASELINE = "lab/bench/baseline.ts";
/** More than a machine of two cores can keep busy. */
const INSTANCES = 4;

/** AWS fires a schedule within 60 s after its time (EventBridge Scheduler User Guide, "Schedule types"). */
const MAX_SCHEDULE_DELAY_MS = 60_000;
/** Fewer than in a comparison, because each takes a minute. */
const POST_CONNECTIONS = [1, 32];

const FULL = {
  warm: { rounds: 15, calls: 200, warmUp: 500 },
  batches: { rounds: 7, items: 8_000 },
  coldStarts: 21,
  memory: 5,
  growth: { sizes: [1_000, 100_000, 1_000_000], rounds: 15, calls: 50, items: 800 },
  http: { connections: [1, 8, 32], rounds: 3, warmUp: 2_000, seconds: 5, leadSeconds: 6, burst: 500 },
  lateness: { comparedRate: 50, rates: [5, 300], seconds: 15, burst: 5_000 },
};
const QUICK: typeof FULL = {
  warm: { rounds: 3, calls: 50, warmUp: 100 },
  batches: { rounds: 1, items: 800 },
  coldStarts: 3,
  memory: 1,
  growth: { sizes: [1_000, 10_000], rounds: 2, calls: 20, items: 200 },
  http: { connections: [1, 32], rounds: 1, warmUp: 500, seconds: 1, leadSeconds: 1, burst: 50 },
  lateness: { comparedRate: 5, rates: [], seconds: 2, burst: 50 },
};

/** Measures the service alone. */
export async function bench(quick: boolean, write: boolean): Promise<Outcome> {
  const { warm, batches, coldStarts, memory, growth, http, lateness } = quick ? QUICK : FULL;
  await using bundles = await buildBundles([], { emptyHandler: BASELINE, bareRequests: BASELINE });
  const rows: Row[] = [];
  {
    await using stacks = await startStacks({ bundles, scheduleDelayMs: () => HELD_MS });
    log("CPU time of a call");
    rows.push(...(await measureWarmCalls(stacks, warm)));
    log("cold starts");
    rows.push(...(await measureColdStarts(stacks, coldStarts)));
    log("memory");
    rows.push(...(await measureMemory(stacks, memory)));
    log("batches");
    rows.push(...(await measureBatches(stacks.scheduler, batches.rounds, batches.items)));
  }
  {
    await using stacks = await startStacks({ bundles, concurrency: INSTANCES });
    const { scheduler, sweep } = stacks;
    rows.push(burstRow(await measureBursts([scheduler.apiUrl], http, log), http.burst));
    rows.push(...loadRows(await measureLoads([scheduler.apiUrl], "GET /orders/{pk}", http, log), ["scheduler"]));
    await using _ = keepSweeping(sweep);
    const urls = [scheduler.apiUrl, sweep.apiUrl];
    const posted = await measureLoads(urls, "POST /orders", { ...http, connections: POST_CONNECTIONS }, log);
    rows.push(...loadRows(posted, ["scheduler", "sweep"]));
  }
  {
    const scheduleDelayMs = () => randomInt(MAX_SCHEDULE_DELAY_MS);
    await using stacks = await startStacks({ bundles, concurrency: INSTANCES, scheduleDelayMs });
    rows.push(...(await measureLateness(stacks, lateness, log)));
  }
  log(`growth to ${growth.sizes.at(-1)?.toLocaleString("en")} orders`);
  rows.push(...(await measureGrowth(bundles, growth)));
  if (write) await writeResults("benchmarks.md", resultsOf(rows));
  // A time depends on the machine and never fails a run. A missing time does.
  const measured = rows.every(({ value }) => Number.isFinite(value));
  return { output: `${rowsTable(rows)}\n`, exitCode: measured ? 0 : 1 };
}

/**
 * Compares the service with another one. Each way of completion has a stack of its own, and so has each with prices.
 * @param inventoryUrl of the prices; without it, no orders with prices are measured
 */
export async function compare(url: string, inventoryUrl: string | undefined, quick: boolean): Promise<Outcome> {
  const { http } = quick ? QUICK : FULL;
  await using parts = new AsyncDisposableStack();
  const bundles = parts.use(await buildBundles());
  const services: { readonly name: string; readonly url: string }[] = [];
  for (const completion of Completion.options) {
    for (const prices of inventoryUrl === undefined ? [{}] : [{}, { inventoryUrl }]) {
      const stack = parts.use(await startStack({ bundles, concurrency: INSTANCES, completion, ...prices }));
      if (completion === "sweep") parts.use(keepSweeping(stack));
      const suffix = "inventoryUrl" in prices ? ", with prices" : "";
      services.push({ name: `this one, ${completion}${suffix}`, url: stack.apiUrl });
    }
  }
  services.push({ name: "the other", url: url.replace(/\/+$/, "") });
  const urls = services.map((service) => service.url);
  const names = services.map((service) => service.name);
  return { output: `${comparisonTables(await measureHttp(urls, http, log), names, http.burst)}\n` };
}

function log(line: string): void {
  process.stderr.write(`${String(Math.round(performance.now() / 1_000)).padStart(4)} s  ${line}\n`);
}
