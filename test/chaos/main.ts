import { type Options, readOptions, USAGE } from "./options.ts";
import { createProgress } from "./progress.ts";
import { run } from "./run.ts";

const MOST_SHOWN = 20;

/** The fault suite on the command line: progress on standard error, the findings as the last line of standard output. */
async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  const { summary, violations, story } = await run(options, createProgress(process.stderr));
  for (const { invariant, kind, order, ref, detail } of violations.slice(0, MOST_SHOWN)) {
    const about = [`invariant ${invariant}`, kind, ...(order === undefined ? [] : [`order ${order}`]), ref ?? ""];
    process.stderr.write(`${about.filter(Boolean).join(", ")}: ${detail}\n`);
  }
  if (story) process.stderr.write(`\n${story}\n`);
  await new Promise((resolve) => process.stdout.write(`${JSON.stringify(summary)}\n`, resolve));
  return summary.ok ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // An exit runs the handlers that end Redis and every instance.
  process.once(signal, () => process.exit(130));
}
// Not by itself: now and then Node 24 turns for ever in its own clean-up (node::Environment::CleanupHandles), after everything was stopped.
process.exit(await main());
