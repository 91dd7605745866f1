import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { table } from "../../test/support/markdown.ts";
import { connectionsText, type HttpResults, type Load, perSecond } from "./http-load.ts";
import { differenceOf, median, meetsTarget, p99, type Row, ratioOf } from "./statistics.ts";

const HEAD = ["measure", "this service", "baseline", "compared", "target", ""];
const SIGNS = { "at most": "≤", "at least": "≥" } as const;

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
      row.baseline === undefined ? "" : amount(row.baseline, row.unit),
      compared(row),
      targetText(row),
      row.target ? (meetsTarget(row) ? "met" : "**missed**") : "",
    ]),
  );
}

/** What two services did under the same load, as a table of Markdown. A p99 needs 2,000 replies. */
export function comparisonTable({ loads, burstSeconds }: HttpResults, orders: number): string {
  const head = ["load", "ours, /s", "theirs, /s", "ours / theirs", "p50, ms", "theirs", "p99, ms", "theirs"];
  const rows = loads.map(({ name, connections, loads: [ours = [], theirs = []] }) => {
    const [own, other] = [ours, theirs].map(latencies);
    return [
      `${name}, ${connectionsText(connections)}`,
      ...[perSecond(ours), perSecond(theirs), perSecond(ours) / perSecond(theirs)].map(number),
      ...[median(own ?? []), median(other ?? []), p99(own ?? []), p99(other ?? [])].map(optional),
    ];
  });
  const [ours, theirs] = burstSeconds.map((seconds) => `${number(median(seconds))} s`);
  const burst = `Of ${orders} orders at once the last is completed after ${ours}, theirs after ${theirs}.`;
  return `${table(head, rows, { numbersFrom: 1 })}\n\n${burst}\n`;
}

/** The page docs/benchmarks.md. */
export function benchmarksPage(rows: readonly Row[]): string {
  const targets = rows.filter(({ target }) => target);
  const missed = targets.filter((row) => !meetsTarget(row)).map(({ measure }) => measure);
  return `# Benchmarks

\`npm run bench\` writes this page. Do not edit it.

${machine()}. ${targets.length - missed.length} of ${targets.length} targets are met.
${missed.length > 0 ? `\nMissed: ${missed.join("; ")}.\n` : ""}
The built bundles run as on Lambda: each instance is a process that handles one event at a time. Redis is a real Redis behind the
Upstash gateway of this repository; everything, the load generator included, is on one machine. Value and baseline are medians of
rounds in turns, and times are only comparable within a run.

- **Baseline** of CPU time: the same HTTP requests to Redis and EventBridge Scheduler, with the same script, sent by a handler that
  does nothing else. Of cold starts and memory: an empty handler. Of growth: 1,000 stored orders.
- **CPU time** is user and system time of the instance's process during the call.
- **Throughput** is of four instances of each function behind one HTTP server, while the orders placed are completed.
- MB are 1,048,576 bytes.

${rowsTable(rows)}

${CHARTS.map(({ title, group, name }) => {
  const shown = rows.filter((row) => row.group === group && (name === undefined || row.name === name));
  return barChart(title, shown);
}).join("\n\n")}

## Compare with another service

\`npm run bench -- --against http://localhost:8000\` sends the same load to this service and to any other that has \`POST /orders\` and
\`GET /orders/{pk}\`, in turns, and prints a table: requests per second with 1, 8 and 32 connections, and how long a burst of 500
orders takes until the last is completed.
`;
}

/** Mermaid, which GitHub draws in the colours of the reader's theme (https://mermaid.js.org/syntax/xyChart.html). */
export function barChart(title: string, rows: readonly Row[]): string {
  const labels = rows.map(({ at, name }) => JSON.stringify(at === undefined ? name : connectionsText(at)));
  const values = rows.map(({ value }) => Number(value.toPrecision(3)));
  return `\`\`\`mermaid
xychart-beta horizontal
  title ${JSON.stringify(title)}
  x-axis [${labels.join(", ")}]
  y-axis 0 --> ${Math.max(...values)}
  bar [${values.join(", ")}]
\`\`\``;
}

/** Date, commit, Node and processor of a run. A commit with uncommitted changes is marked. */
function machine(): string {
  const [date] = new Date().toISOString().split("T");
  const cpu = cpus()[0]?.model.trim() ?? "unknown processor";
  return `Run of ${date}, commit ${commit()}, Node ${process.version}, ${cpus().length} cores of ${cpu}`;
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  try {
    return `${git("rev-parse", "--short", "HEAD").trim()}${git("status", "--porcelain") === "" ? "" : "+changes"}`;
  } catch {
    return "unknown";
  }
}

const latencies = (loads: readonly Load[]): number[] => loads.flatMap(({ latenciesMs }) => latenciesMs);

function compared(row: Row): string {
  const [ratio, difference] = [ratioOf(row), differenceOf(row)];
  if (ratio === undefined || difference === undefined) return "";
  if (row.target?.of !== "difference" && row.group !== "memory") return `${number(ratio)}×`;
  return `${difference < 0 ? "-" : "+"}${amount(Math.abs(difference), row.unit)}`;
}

function targetText({ target, unit }: Row): string {
  if (!target) return "";
  const { of, bound, value } = target;
  const text = { ratio: `${value}×`, difference: `+${amount(value, unit)}`, value: amount(value, unit) }[of];
  return `${SIGNS[bound]} ${text}`;
}

function amount(value: number, unit: Row["unit"]): string {
  return unit === "/s" ? `${number(value)}/s` : `${number(value)} ${unit}`;
}

const optional = (value: number | undefined): string => (value === undefined ? "–" : number(value));

/** To 3 figures, whole from 100. */
function number(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}
