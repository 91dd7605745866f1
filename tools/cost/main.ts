import { readFile, writeFile } from "node:fs/promises";
import { type Outcome, runTool } from "../../test/support/tool.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import { withTables } from "./readme.ts";
import { type Report, reportOf } from "./report.ts";
import { run } from "./run.ts";
import { tablesOf } from "./table.ts";

const README = new URL("../../README.md", import.meta.url);
const RESULT = new URL("../../docs/cost.json", import.meta.url);

/** The cost of orders on the command line: tables and then one JSON object on standard output. */
async function cost({ orders, refunds, "orders-a-month": ordersAMonth, write }: Options): Promise<Outcome> {
  const counts = await run({ orders, refundShare: refunds }, (step) => process.stderr.write(`${step}\n`));
  const report = reportOf(counts, ordersAMonth);
  if (write) await writeDown(report);
  const unverified = `Prices not verified for ${report.region}: ${report.unverified_prices.join(", ")} (tools/cost/prices.json)`;
  return { output: [tablesOf(report), "", unverified, JSON.stringify(report), ""].join("\n"), exitCode: 0 };
}

async function writeDown(report: Report): Promise<void> {
  await writeFile(RESULT, `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(README, withTables(await readFile(README, "utf8"), tablesOf(report)));
}

await runTool({ usage: USAGE, readOptions, run: cost });
