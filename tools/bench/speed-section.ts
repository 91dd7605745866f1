import { type Marks, withSection } from "../../test/support/marked-section.ts";
import { CHARTS } from "./charts/charts.ts";
import type { Results } from "./results.ts";
import { isWithin } from "./row.ts";
import { tableOfRows } from "./table.ts";

const MARKS: Marks = { begin: "<!-- npm run bench writes from here … -->", end: "<!-- … to here -->" };

/** What the README says of a run. */
export function speedSection(results: Results): string {
  const { date, commit, node, cpu, cores, rows } = results;
  const missed = rows.filter((row) => !isWithin(row, 1)).map(({ measure }) => measure);
  const withTarget = rows.filter(({ target }) => target).length;
  const paragraphs = [
    `On ${date}, commit ${commit}, Node ${node}, ${cores} cores of ${cpu}: ${withTarget - missed.length} of ${withTarget} targets are met.`,
    missed.length > 0 ? `Missed: ${missed.join("; ")}.` : "",
    tableOfRows(rows),
    ...CHARTS.map(({ file, alt }) => `![${alt}](docs/bench/${file})`),
  ];
  return paragraphs.filter(Boolean).join("\n\n");
}

/** @throws Error when the README has no place for it */
export const withSpeedSection = (readme: string, results: Results): string =>
  withSection(readme, MARKS, speedSection(results));
