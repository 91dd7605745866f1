import { CHARTS } from "./charts/charts.ts";
import type { Results } from "./results.ts";
import { isWithin } from "./row.ts";
import { table } from "./table.ts";

const BEGIN = "<!-- npm run bench writes from here … -->";
const END = "<!-- … to here -->";
const SECTION = new RegExp(`(?<=${BEGIN}\n)[\\s\\S]*(?=${END})`);

/** What the README says of a run. */
export function speedSection(results: Results): string {
  const { date, commit, node, cpu, cores, rows } = results;
  const missed = rows.filter((row) => !isWithin(row, 1)).map(({ measure }) => measure);
  const withTarget = rows.filter(({ target }) => target).length;
  const paragraphs = [
    `On ${date}, commit ${commit}, Node ${node}, ${cores} cores of ${cpu}: ${withTarget - missed.length} of ${withTarget} targets are met.`,
    missed.length > 0 ? `Missed: ${missed.join("; ")}.` : "",
    table(rows),
    ...CHARTS.map(({ file, alt }) => `![${alt}](docs/bench/${file})`),
  ];
  return `\n${paragraphs.filter(Boolean).join("\n\n")}\n\n`;
}

/** @throws Error when the README has no place for it */
export function withSpeedSection(readme: string, results: Results): string {
  if (!SECTION.test(readme)) throw new Error(`README.md has no lines ${BEGIN} and ${END}`);
  return readme.replace(SECTION, () => speedSection(results));
}
