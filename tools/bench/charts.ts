import { connectionsText } from "./http-load.ts";
import type { Row } from "./statistics.ts";

const WIDTH = 820;
const LABEL_WIDTH = 150;
/** Room for the figure after the longest bar. */
const FIGURE_WIDTH = 70;
const BAR_HEIGHT = 16;
const GROUP_GAP = 12;
const TOP = 84;
const LEGEND_WIDTH = 210;

/** Okabe and Ito's colours, which colour-blind readers can distinguish, on light and dark pages. */
const STYLE = `<style>
text { fill: #1f2328 } .muted { fill: #59636e }
.s0 { fill: #0072b2 } .s1 { fill: #a0a7ae }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .muted { fill: #9198a1 } .s0 { fill: #56b4e9 } .s1 { fill: #6e7681 } }
</style>`;

interface Series {
  readonly name: string;
  /** One value for each category. */
  readonly values: readonly (number | undefined)[];
}

/** A chart of docs/benchmarks.md. */
interface Chart {
  /** In docs/bench. */
  readonly file: string;
  readonly alt: string;
  readonly draw: (rows: readonly Row[]) => string;
}

export const CHARTS: readonly Chart[] = [
  {
    file: "cpu.svg",
    alt: "The CPU time of a warm call of each function and of its baseline",
    draw: (rows) => withBaseline(rows, "cpu", "CPU time of a warm call, in ms", "the same requests, nothing else"),
  },
  {
    file: "cold-start.svg",
    alt: "The cold start of each function and of an empty handler",
    draw: (rows) => withBaseline(rows, "cold start", "From a fresh process to its first reply, in ms", "empty handler"),
  },
  {
    file: "throughput.svg",
    alt: "Requests per second with 1, 8 and 32 connections",
    draw(rows) {
      const shown = rows.filter(({ group }) => group === "throughput");
      const connections = [...new Set(shown.map(({ at = 0 }) => at))];
      const series = ["GET /orders/{pk}", "POST /orders"].map((name) => ({
        name,
        values: connections.map((at) => shown.find((row) => row.name === name && row.at === at)?.value),
      }));
      return drawBars("Requests per second", "more is better", connections.map(connectionsText), series);
    },
  },
];

/**
 * Draws horizontal bars, grouped by category, each with its figure to three digits.
 * @param direction which values are better, shown below the title
 * @returns an SVG image without scripts, which is the same for the same content
 */
export function drawBars(
  title: string,
  direction: string,
  categories: readonly string[],
  series: readonly Series[],
): string {
  const longest = Math.max(...series.flatMap(({ values }) => values.map((value = 0) => value)), Number.MIN_VALUE);
  const scale = (WIDTH - LABEL_WIDTH - FIGURE_WIDTH) / longest;
  const groupHeight = series.length * BAR_HEIGHT + GROUP_GAP;
  const height = TOP + categories.length * groupHeight;

  function bar(value: number | undefined, category: number, index: number): string[] {
    if (value === undefined) return [];
    const y = TOP + category * groupHeight + index * BAR_HEIGHT;
    const width = Number((value * scale).toFixed(1));
    const figure = Number(value.toPrecision(3)).toLocaleString("en");
    return [
      rect(index, LABEL_WIDTH, y, width, BAR_HEIGHT - 2),
      text(LABEL_WIDTH + width + 6, y + BAR_HEIGHT - 5, figure),
    ];
  }

  const parts = [
    `<title>${escapeText(`${title} (${direction})`)}</title>`,
    STYLE,
    text(WIDTH / 2, 20, title, 'text-anchor="middle" font-size="16" font-weight="bold"'),
    text(WIDTH / 2, 38, direction, 'class="muted" text-anchor="middle"'),
    ...series.flatMap(({ name }, index) => {
      const x = LABEL_WIDTH + index * LEGEND_WIDTH;
      return [rect(index, x, 52, 12, 12), text(x + 18, 62, name)];
    }),
    ...categories.map((name, index) =>
      text(LABEL_WIDTH - 8, TOP + index * groupHeight + (groupHeight - GROUP_GAP) / 2 + 4, name, 'text-anchor="end"'),
    ),
    ...series.flatMap(({ values }, index) => values.flatMap((value, category) => bar(value, category, index))),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">
${parts.join("\n")}
</svg>
`;
}

function withBaseline(rows: readonly Row[], group: Row["group"], title: string, baselineName: string): string {
  const shown = rows.filter((row) => row.group === group).toSorted((a, b) => b.value - a.value);
  const names = shown.map(({ name }) => name);
  return drawBars(title, "less is better", names, [
    { name: "this service", values: shown.map(({ value }) => value) },
    { name: baselineName, values: shown.map(({ baseline }) => baseline) },
  ]);
}

function rect(series: number, x: number, y: number, width: number, height: number): string {
  return `<rect class="s${series}" x="${x}" y="${y}" width="${width}" height="${height}"/>`;
}

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${Number(x.toFixed(1))}" y="${y}"${attributes && ` ${attributes}`}>${escapeText(content)}</text>`;
}

function escapeText(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
