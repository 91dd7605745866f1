import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CHARTS } from "./charts/charts.ts";
import { Results } from "./results.ts";
import { withSpeedSection } from "./speed-section.ts";

const PROJECT = join(import.meta.dirname, "../..");
const README = join(PROJECT, "README.md");
const RESULTS_FILE = "results.json";

/** Where what the README shows is. */
export const DOCS_FOLDER = join(PROJECT, "docs/bench");

/** Writes results and charts into a folder, and what the README says, when it is the README's own folder. */
export async function writeResults(results: Results, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, RESULTS_FILE), `${JSON.stringify(Results.parse(results), null, 2)}\n`);
  for (const { file, svg } of CHARTS) await writeFile(join(folder, file), svg(results.rows));
  if (resolve(folder) === DOCS_FOLDER) {
    await writeFile(README, withSpeedSection(await readFile(README, "utf8"), results));
  }
}

/** What `writeResults` wrote. */
export async function readResults(folder: string): Promise<Results> {
  return Results.parse(JSON.parse(await readFile(join(folder, RESULTS_FILE), "utf8")));
}
