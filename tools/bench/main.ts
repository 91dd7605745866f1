import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { EXIT, type Outcome, parseOptions, runTool } from "../command.ts";
import { buildBundles } from "../lambda-host/bundles.ts";
import { measureBatches, measureGrowth } from "./batches.ts";
import { measureWarmCalls } from "./calls.ts";
import { httpRows, measureHttp } from "./http-load.ts";
import { measureColdStarts, measureMemory } from "./instances.ts";
import { benchmarksPage, comparisonTable, rowsTable } from "./report.ts";
import { startStack } from "./stack.ts";
import type { Row } from "./statistics.ts";

const USAGE = `npm run bench -- [--quick]
npm run bench -- --against <url> [--rounds 3] [--seconds 5] [--burst 500]

Measures the built functions on this machine, and writes docs/benchmarks.md. Takes about four minutes.

  --quick          a smoke run of a minute, which writes nothing
  --against <url>  sends the same load to this service and to another one, in turns, and prints a table. The other one needs
                   POST /orders and GET /orders/{pk}
  --rounds <n>     how often each service gets each load
  --seconds <n>    how long a load lasts
  --burst <n>      how many orders are placed at once
`;

const PAGE = join(import.meta.dirname, "../../docs/benchmarks.md");
const BASELINE = "tools/bench/baseline.ts";
/** More than a machine of two cores can keep busy. */
const INSTANCES = 4;

const Count = z.coerce.number().int().positive();
const Options = z.object({
  quick: z.boolean().default(false),
  against: z.url({ protocol: /^https?$/ }).optional(),
  rounds: Count.default(3),
  seconds: Count.default(5),
  burst: Count.default(500),
});
type Options = z.infer<typeof Options>;

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
  readOptions(args) {
    const value = { type: "string" } as const;
    const options = {
      quick: { type: "boolean" },
      against: value,
      rounds: value,
      seconds: value,
      burst: value,
    } as const;
    return parseOptions(Options, args, options);
  },
  run: (options) => (options.against === undefined ? bench(options) : compare(options.against, options)),
});

async function bench({ quick }: Options): Promise<Outcome> {
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
  if (!quick) await writeFile(PAGE, benchmarksPage(rows));
  // A time depends on the machine and never fails a run.
  return { output: `${rowsTable(rows)}\n`, exitCode: EXIT.ok };
}

/** The other service may have no order yet, so each gets its own for the reads. */
async function compare(url: string, { rounds, seconds, burst }: Options): Promise<Outcome> {
  await using stack = await startStack({ concurrency: INSTANCES });
  const urls = [stack.apiUrl, url.replace(/\/+$/, "")];
  const results = await measureHttp(urls, { ...FULL.http, rounds, seconds, burst }, log);
  return { output: comparisonTable(results, burst), exitCode: EXIT.ok };
}

function log(line: string): void {
  process.stderr.write(`${String(Math.round(performance.now() / 1_000)).padStart(4)} s  ${line}\n`);
}
