import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { table } from "../../tools/command.ts";
import { connectionsText, type HttpResults, latenciesOf, perSecond } from "./http-load.ts";
import { compared, median, meetsTarget, p99, type Row } from "./statistics.ts";

const HEAD = ["measure", "this service", "baseline", "compared", "target", ""];

const CHARTS: readonly { readonly title: string; readonly group: Row["group"]; readonly name?: string }[] = [
  { title: "CPU time of a warm call, in ms (less is better)", group: "cpu" },
  { title: "Cold start, in ms (less is better)", group: "cold start" },
  { title: "GET requests per second (more is better)", group: "throughput", name: "GET /orders/{pk}" },
  { title: "POST requests per second (more is better)", group: "throughput", name: "POST /orders" },
];

/** The rows of a run as a table of Markdown. */
export function rowsTable(rows: readonly Row[]): string {
  return table(
    HEAD,
    rows.map((row) => [
      row.measure,
      amount(row.value, row.unit),
      ...(row.baseline === undefined ? ["", ""] : [amount(row.baseline, row.unit), comparedText(row, compared(row))]),
      targetText(row),
      verdict(row),
    ]),
  );
}

/**
 * What services did under the same load, as tables of Markdown. A p99 needs 2,000 replies.
 * @param names of the services; the last is the one that the others are compared with
 */
export function comparisonTables(
  { loads, burstSeconds }: HttpResults,
  names: readonly string[],
  orders: number,
): string {
  const rows = loads.flatMap(({ measure, loads: services }) => {
    const other = perSecond(services.at(-1) ?? []);
    return services.map((rounds, index) => {
      const latencies = latenciesOf(rounds);
      const numbers = [perSecond(rounds), perSecond(rounds) / other, median(latencies), p99(latencies)];
      return [index === 0 ? measure : "", names[index] ?? "", ...numbers.map(optional)];
    });
  });
  const bursts = burstSeconds.map((seconds, index) => [names[index] ?? "", number(median(seconds))]);
  return [
    table(["load", "service", "requests/s", "× other", "p50, ms", "p99, ms"], rows, { numbersFrom: 2 }),
    table([`${orders} orders at once`, "until the last is completed, s"], bursts, { numbersFrom: 1 }),
  ].join("\n\n");
}

/** The results of a run, for docs/benchmarks.md. */
export function resultsOf(rows: readonly Row[]): string {
  const verdicts = rows.map(meetsTarget).filter((met) => met !== undefined);
  const charts = CHARTS.map(({ title, group, name }) => {
    const shown = rows.filter((row) => row.group === group && row.name.startsWith(name ?? ""));
    return barChart(title, shown);
  });
  const run = `Run of ${new Date().toISOString().slice(0, "yyyy-MM-dd".length)}, commit ${commit()}`;
  const machine = `Node ${process.version}, ${cpus().length} cores of ${cpus()[0]?.model.trim() ?? "unknown processor"}`;
  const met = `${verdicts.filter(Boolean).length} of ${verdicts.length} targets are met`;
  return [`${run}, ${machine}. ${met}.`, rowsTable(rows), ...charts].join("\n\n");
}

/** Mermaid, which GitHub draws in the colours of the reader's theme (https://mermaid.js.org/syntax/xyChart.html). */
export function barChart(title: string, rows: readonly Row[]): string {
  const labels = rows.map(({ at, name }) => {
    const [, ...completion] = name.split(", ");
    return JSON.stringify(at === undefined ? name : [connectionsText(at), ...completion].join(", "));
  });
  const values = rows.map(({ value }) => Number(value.toPrecision(3)));
  return `\`\`\`mermaid
xychart-beta horizontal
  title ${JSON.stringify(title)}
  x-axis [${labels.join(", ")}]
  y-axis 0 --> ${Math.max(...values)}
  bar [${values.join(", ")}]
\`\`\``;
}

/** Uncommitted changes are marked. */
function commit(): string {
  const args = ["describe", "--always", "--exclude=*", "--dirty=+changes"];
  return spawnSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).stdout?.trim() || "unknown";
}

function targetText(row: Row): string {
  if (row.atMost !== undefined) return `≤ ${comparedText(row, row.atMost)}`;
  return row.atLeast === undefined ? "" : `≥ ${comparedText(row, row.atLeast)}`;
}

function verdict(row: Row): string {
  const met = meetsTarget(row);
  if (met === undefined) return "";
  return met ? "met" : "**missed**";
}

/** @param value as `compared` gives it */
function comparedText({ unit, baseline, asDifference }: Row, value: number): string {
  if (baseline === undefined) return amount(value, unit);
  return asDifference ? `${value < 0 ? "" : "+"}${amount(value, unit)}` : `${number(value)}×`;
}

function amount(value: number, unit: Row["unit"]): string {
  return `${number(value)}${unit === "/s" ? "" : " "}${unit}`.trim();
}

const optional = (value: number | undefined): string => (value === undefined ? "–" : number(value));

/** To 3 figures, whole from 100. */
function number(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}
