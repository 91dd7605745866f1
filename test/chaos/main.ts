import { type Outcome, runTool } from "../../tools/command.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import { createProgress } from "./progress.ts";
import { run } from "./run.ts";

const MOST_SHOWN = 20;

/** The fault suite on the command line: what broke on standard error, the findings as one JSON line on standard output. */
async function chaos(options: Options): Promise<Outcome> {
  const { summary, violations, story } = await run(options, createProgress(process.stderr));
  for (const { invariant, kind, order, ref, detail } of violations.slice(0, MOST_SHOWN)) {
    const about = [`invariant ${invariant}`, kind, ...(order === undefined ? [] : [`order ${order}`]), ref ?? ""];
    process.stderr.write(`${about.filter(Boolean).join(", ")}: ${detail}\n`);
  }
  if (story) process.stderr.write(`\n${story}\n`);
  return { output: `${JSON.stringify(summary)}\n`, exitCode: summary.ok ? 0 : 1 };
}

await runTool({ usage: USAGE, readOptions, run: chaos });
