import { buildBundles } from "../lambda/bundles.ts";
import { recordSizes, sizesOf } from "./bundle-sizes.ts";
import { describeRun } from "./machine.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import type { Results } from "./results.ts";
import { run } from "./run.ts";
import { FULL, QUICK } from "./settings.ts";
import { table } from "./table.ts";
import { readResults, writeResults } from "./write-results.ts";

/** The bench on the command line: progress on standard error; on standard output a table, then all of it as one JSON line. */
async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  if (options.sizes) {
    await using bundles = await buildBundles();
    await recordSizes(await sizesOf(bundles));
    return 0;
  }
  if (options.render) {
    await writeResults(await readResults(options.charts), options.charts);
    return 0;
  }
  const startedMs = performance.now();
  const say = (line: string) => void process.stderr.write(`${seconds(performance.now() - startedMs)} ${line}\n`);
  const described = describeRun();
  const rows = await run(options.quick ? QUICK : FULL, say);
  const results: Results = { form: options.quick ? "quick" : "full", ...described, rows };
  if (!options.quick) await writeResults(results, options.charts);
  say("done");
  const out = `${table(rows)}\n${JSON.stringify(results)}\n`;
  await new Promise((resolve) => process.stdout.write(out, resolve));
  return 0;
}

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`.padStart(6);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // An exit runs the handlers that end Redis and every instance.
  process.once(signal, () => process.exit(130));
}
// Not by itself: now and then Node 24 turns for ever in its own clean-up, after everything was stopped.
process.exit(await main());
