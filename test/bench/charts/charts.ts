import type { Row } from "../row.ts";
import { draw } from "./chart.ts";

const GROWTH_TARGET = 1.3;

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
  return draw("CPU time of a warm call, ms", {
    xAxis: category(shown.map(({ name }) => name)),
    yAxis: { type: "value" },
    series: [
      bars(
        "this service",
        shown.map(({ subject }) => short(subject)),
      ),
    ],
  });
}

function coldStart(rows: readonly Row[]): string {
  const shown = rows.filter(({ group }) => group === "cold start").toSorted((a, b) => a.subject - b.subject);
  const stacked = { stack: "start", label: { show: false } };
  return draw("From a fresh process to the first reply, ms", {
    grid: { left: 120, right: 40, top: 80, bottom: 40 },
    color: ["#bbbbbb", "#0072b2"],
    xAxis: { type: "value" },
    yAxis: category(shown.map(({ name }) => name)),
    series: [
      {
        ...bars(
          "an empty handler",
          shown.map(({ floor }) => floor),
        ),
        ...stacked,
      },
      {
        ...bars(
          "the function itself",
          shown.map(({ subject, floor = 0 }) => short(subject - floor)),
        ),
        ...stacked,
        label: labels("right"),
      },
    ],
  });
}

function throughput(rows: readonly Row[]): string {
  const shown = rows.filter(({ group, percent }) => group === "throughput" && percent === undefined);
  return draw("Requests a second, one front process, 4 instances", {
    xAxis: category(
      shown.map(({ name, at }) => `${name.replace(/ .*/, "")}\n${at} ${at === 1 ? "client" : "clients"}`),
    ),
    yAxis: { type: "value" },
    series: [
      bars(
        "this service",
        shown.map(({ subject }) => Math.round(subject)),
      ),
      bars(
        "an empty handler behind the same front",
        shown.map(({ floor = 0 }) => Math.round(floor)),
      ),
    ],
  });
}

function growth(rows: readonly Row[]): string {
  const shown = rows.filter(({ group }) => group === "growth");
  const sizes = [...new Set(shown.map(({ at }) => at))];
  const names = [...new Set(shown.map(({ name }) => name))];
  return draw("A call as orders grow in number, times that with 1,000 stored", {
    color: ["#0072b2", "#e69f00", "#009e73", "#cc79a7"],
    xAxis: category(["1,000", ...sizes.map((size) => size?.toLocaleString("en") ?? "")]),
    yAxis: { type: "value", min: 0, max: 1.4 },
    series: names.map((name, index) => ({
      type: "line",
      name,
      symbolSize: 8,
      silent: true,
      data: [1, ...shown.filter((row) => row.name === name).map(({ ratio }) => ratio)],
      ...(index === 0 && { markLine: targetLine() }),
    })),
  });
}

const category = (data: readonly string[]) => ({ type: "category", data: [...data], axisLabel: { interval: 0 } });
const labels = (position: "top" | "right") => ({ show: true, position, fontSize: 11 });
const short = (value: number) => Number(value.toPrecision(3));

function bars(name: string, data: readonly (number | undefined)[]) {
  return { type: "bar", name, data: [...data], silent: true, label: labels("top") };
}

function targetLine() {
  const label = { formatter: `target ${GROWTH_TARGET}×`, position: "insideEndTop" };
  return { silent: true, symbol: "none", lineStyle: { color: "#999999" }, label, data: [{ yAxis: GROWTH_TARGET }] };
}
