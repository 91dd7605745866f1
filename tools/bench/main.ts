import { type Outcome, runTool } from "../../test/support/tool.ts";
import { describeRun } from "./machine.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import type { Results } from "./results.ts";
import { run } from "./run.ts";
import { FULL, QUICK } from "./settings.ts";
import { tableOfRows } from "./table.ts";
import { readResults, writeResults } from "./write-results.ts";

const NOTHING_TO_SAY: Outcome = { output: "", exitCode: 0 };

/** The bench on the command line: on standard output a table, then all of it as one JSON line. */
async function bench(options: Options): Promise<Outcome> {
  if (options.render) {
    await writeResults(await readResults(options.charts), options.charts);
    return NOTHING_TO_SAY;
  }
  const startedMs = performance.now();
  const say = (line: string) => void process.stderr.write(`${seconds(performance.now() - startedMs)} ${line}\n`);
  const described = describeRun();
  const rows = await run(options.quick ? QUICK : FULL, say);
  const results: Results = { form: options.quick ? "quick" : "full", ...described, rows };
  if (!options.quick) await writeResults(results, options.charts);
  say("done");
  return { output: `${tableOfRows(rows)}\n${JSON.stringify(results)}\n`, exitCode: 0 };
}

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`.padStart(6);

await runTool({ usage: USAGE, readOptions, run: bench });
