import { readFile, writeFile } from "node:fs/promises";
import { type Options, readOptions, USAGE } from "./options.ts";
import { withTables } from "./readme.ts";
import { type Report, reportOf } from "./report.ts";
import { run } from "./run.ts";
import { tablesOf } from "./table.ts";

const README = new URL("../../README.md", import.meta.url);
const RESULT = new URL("../../docs/cost.json", import.meta.url);

/** The cost of orders on the command line: progress on standard error, tables and then one JSON object on standard output. */
async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  const counts = await run({ orders: options.orders, refundShare: options.refunds }, (step) =>
    process.stderr.write(`${step}\n`),
  );
  const report = reportOf(counts, options["orders-a-month"]);
  const unverified = `Prices not verified for ${report.region}: ${report.unverified_prices.join(", ")} (test/cost/prices.json)`;
  const out = [tablesOf(report), "", unverified, JSON.stringify(report), ""].join("\n");
  await new Promise((resolve) => process.stdout.write(out, resolve));
  if (options.write) await write(report);
  return 0;
}

async function write(report: Report): Promise<void> {
  await writeFile(RESULT, `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(README, withTables(await readFile(README, "utf8"), tablesOf(report)));
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // An exit runs the handlers that end Redis and every instance.
  process.once(signal, () => process.exit(130));
}
// Not by itself: now and then Node 24 turns for ever in its own clean-up (node::Environment::CleanupHandles), after everything was stopped.
process.exit(await main());
