import { z } from "zod";
import { type Outcome, parseOptions, runTool, writeResults } from "../command.ts";
import { buildBundles } from "../lambda-host/bundles.ts";
import { measureBatches, measureGrowth } from "./batches.ts";
import { measureWarmCalls } from "./calls.ts";
import { httpRows, measureHttp } from "./http-load.ts";
import { measureColdStarts, measureMemory } from "./instances.ts";
import { comparisonTable, resultsOf, rowsTable } from "./report.ts";
import { startStack } from "./stack.ts";
import type { Row } from "./statistics.ts";

const USAGE = `npm run bench -- [--quick]
npm run bench -- --against <url> [--quick]

Measures the built functions on this machine, and writes the results into docs/benchmarks.md. Takes about four minutes.

  --quick          a smoke run of a minute, which writes nothing
  --against <url>  sends the same load to this service and to another one, in turns, and prints a table. The other one needs
                   POST /orders and GET /orders/{pk}
`;

const BASELINE = "tools/bench/baseline.ts";
/** More than a machine of two cores can keep busy. */
const INSTANCES = 4;

const Options = z.object({
  quick: z.boolean().default(false),
  against: z.url({ protocol: /^https?$/ }).optional(),
});

const FULL = {
  warm: { rounds: 15, calls: 200, warmUp: 500 },
  batches: { rounds: 7, items: 8_000 },
  coldStarts: 21,
  memory: 5,
  growth: { sizes: [1_000, 100_000, 1_000_000], rounds: 15, calls: 50, items: 800 },
  http: { connections: [1, 8, 32], rounds: 3, warmUp: 2_000, seconds: 5, burst: 500 },
};
const QUICK: typeof FULL = {
  warm: { rounds: 3, calls: 50, warmUp: 100 },
  batches: { rounds: 1, items: 800 },
  coldStarts: 3,
  memory: 1,
  growth: { sizes: [1_000, 10_000], rounds: 2, calls: 20, items: 200 },
  http: { connections: [1, 32], rounds: 1, warmUp: 500, seconds: 1, burst: 50 },
};

await runTool({
  usage: USAGE,
  readOptions: (args) => parseOptions(Options, args),
  run: ({ quick, against }) => (against === undefined ? bench(quick) : compare(against, quick ? QUICK : FULL)),
});

async function bench(quick: boolean): Promise<Outcome> {
  const { warm, batches, coldStarts, memory, growth, http } = quick ? QUICK : FULL;
  await using bundles = await buildBundles([], { emptyHandler: BASELINE, bareRequests: BASELINE });
  const rows: Row[] = [];
  {
    await using stack = await startStack({ bundles, holdSchedules: true });
    log("CPU time of a call");
    rows.push(...(await measureWarmCalls(stack, warm)));
    log("cold starts");
    rows.push(...(await measureColdStarts(stack, coldStarts)));
    log("memory");
    rows.push(...(await measureMemory(stack, memory)));
    log("batches");
    rows.push(...(await measureBatches(stack, batches.rounds, batches.items)));
  }
  {
    await using stack = await startStack({ bundles, concurrency: INSTANCES });
    rows.push(...httpRows(await measureHttp([stack.apiUrl], http, log), http.burst));
  }
  log(`growth to ${growth.sizes.at(-1)?.toLocaleString("en")} orders`);
  rows.push(...(await measureGrowth(bundles, growth)));
  if (!quick) await writeResults("benchmarks.md", resultsOf(rows));
  // A time depends on the machine and never fails a run; one that is none does.
  const measured = rows.every(({ value }) => Number.isFinite(value));
  return { output: `${rowsTable(rows)}\n`, exitCode: measured ? 0 : 1 };
}

/** The other service may have no order yet, so each gets its own for the reads. */
async function compare(url: string, { http }: typeof FULL): Promise<Outcome> {
  await using stack = await startStack({ concurrency: INSTANCES });
  const results = await measureHttp([stack.apiUrl, url.replace(/\/+$/, "")], http, log);
  return { output: comparisonTable(results, http.burst) };
}

function log(line: string): void {
  process.stderr.write(`${String(Math.round(performance.now() / 1_000)).padStart(4)} s  ${line}\n`);
}
