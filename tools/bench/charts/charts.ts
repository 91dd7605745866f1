import type { Row } from "../row.ts";
import { drawBars } from "./chart.ts";

/** A picture for the README. */
export interface Chart {
  /** In docs/bench. */
  readonly file: string;
  /** What it shows, for who cannot see it. */
  readonly alt: string;
  readonly svg: (rows: readonly Row[]) => string;
}

export const CHARTS: readonly Chart[] = [
  { file: "warm.svg", alt: "The CPU time of a warm call of each function", svg: warm },
  { file: "cold-start.svg", alt: "The cold start of each function on top of an empty handler's", svg: coldStart },
  { file: "throughput.svg", alt: "Requests a second with 1, 8 and 32 clients", svg: throughput },
  { file: "growth.svg", alt: "What a call takes as the number of orders stored grows", svg: growth },
];

function warm(rows: readonly Row[]): string {
  const shown = rows.filter(({ group, percent }) => group === "warm" && percent === undefined);
  return drawBars(
    "CPU time of a warm call, ms",
    shown.map(({ name }) => name),
    [{ name: "this service", values: shown.map(({ subject }) => subject) }],
  );
}

function coldStart(rows: readonly Row[]): string {
  const shown = rows.filter(({ group }) => group === "cold start").toSorted((a, b) => b.subject - a.subject);
  return drawBars(
    "From a fresh process to the first reply, ms",
    shown.map(({ name }) => name),
    [
      { name: "the function", values: shown.map(({ subject }) => subject) },
      { name: "an empty handler", values: shown.map(({ floor }) => floor) },
    ],
  );
}

function throughput(rows: readonly Row[]): string {
  const shown = rows.filter(({ group, percent }) => group === "throughput" && percent === undefined);
  return drawBars(
    "Requests per second, one front process, 4 instances",
    shown.map(({ name, at }) => `${name.replace(/ .*/, "")}, ${at} ${at === 1 ? "client" : "clients"}`),
    [
      { name: "this service", values: shown.map(({ subject }) => subject) },
      { name: "an empty handler behind the same front", values: shown.map(({ floor }) => floor) },
    ],
  );
}

function growth(rows: readonly Row[]): string {
  const shown = rows.filter(({ group }) => group === "growth");
  const sizes = [...new Set(shown.map(({ at }) => at))];
  const names = [...new Set(shown.map(({ name }) => name))];
  return drawBars(
    "A call with more orders stored, relative to 1,000 orders (target: at most 1.3)",
    names,
    sizes.map((size) => ({
      name: `${size?.toLocaleString("en")} orders`,
      values: names.map((name) => shown.find((row) => row.name === name && row.at === size)?.ratio),
    })),
  );
}
