import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Snapshot } from "./console.ts";
import { clock, count, inSeconds } from "./view.tsx";

declare const document: { readonly documentElement: object };
declare function getComputedStyle(element: object): { getPropertyValue(name: string): string };
declare class ResizeObserver {
  constructor(callback: (entries: readonly { readonly contentRect: { readonly width: number } }[]) => void);
  observe(element: object): void;
  disconnect(): void;
}

const WINDOW_S = 300;
const HEIGHT = 190;

/** Read at each drawing, because the theme may change while the page is open. */
const color = (name: string, alpha = "") => {
  return () => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`) + alpha;
};
const from0To = (least: number) => (_: uPlot, __: number, max: number) =>
  [0, Math.max(least, max)] as uPlot.Range.MinMax;
const times = (_: uPlot, values: number[]) => values.map((at) => clock(at * 1_000));
const axis = { stroke: color("soft"), grid: { show: false }, size: 45 };
const bars = {
  ...(uPlot.paths.bars && { paths: uPlot.paths.bars({ size: [1, 100], align: 1 }) }),
  points: { show: false },
};

const OPTIONS = {
  width: 0,
  height: HEIGHT,
  legend: { live: false },
  cursor: { show: false },
  scales: { y: { range: from0To(5) }, late: { range: from0To(2) }, broken: { range: from0To(1) } },
  axes: [
    { ...axis, values: times, size: 30, space: 80 },
    { ...axis, grid: { stroke: color("line"), width: 1 } },
    { ...axis, scale: "late", side: 1, values: (_: uPlot, values: number[]) => values.map((late) => `${late} s`) },
  ],
  // A line connects only lateness in seconds that follow each other.
  series: [
    {},
    { ...bars, label: "something was broken", scale: "broken", fill: color("amber", "22") },
    { ...bars, label: "orders placed per second", fill: color("blue") },
    { ...bars, label: "failed requests", fill: color("red") },
    {
      label: "seconds late",
      scale: "late",
      stroke: color("green"),
      width: 2,
      points: { show: true, fill: color("green") },
    },
  ],
} satisfies uPlot.Options;

/** Orders per second, lateness and failures of the last five minutes. */
export function Chart({ snapshot }: { readonly snapshot: Snapshot }) {
  const { chart } = snapshot;
  const element = useRef(null);
  const latest = useRef(snapshot);
  latest.current = snapshot;
  useEffect(() => {
    if (element.current === null) return undefined;
    const plot = new uPlot(OPTIONS, columnsOf(latest.current), element.current);
    const observer = new ResizeObserver(([entry]) =>
      plot.setSize({ width: entry?.contentRect.width ?? 0, height: HEIGHT }),
    );
    observer.observe(element.current);
    const timer = setInterval(() => plot.setData(columnsOf(latest.current)), 1_000);
    return () => {
      clearInterval(timer);
      observer.disconnect();
      plot.destroy();
    };
  }, []);
  const placed = chart.reduce((sum, second) => sum + second.placed, 0);
  const failed = chart.reduce((sum, second) => sum + second.failed, 0);
  const worst = Math.max(0, ...chart.flatMap(({ late }) => late));
  const summary = `Orders placed: ${count(placed)}. Failed requests: ${count(failed)}. The latest completion: ${inSeconds(worst)} late.`;
  return (
    <section aria-labelledby="chart">
      <h2 id="chart">The last five minutes</h2>
      <small>{summary}</small>
      <div ref={element} role="img" aria-label={summary} />
    </section>
  );
}

/** A value for each second of the window. */
function columnsOf({ chart, broken }: Snapshot): uPlot.AlignedData {
  const bySecond = new Map(chart.map((second) => [second.at, second]));
  const now = Math.floor(Date.now() / 1_000);
  const ats = Array.from({ length: WINDOW_S }, (_, index) => now - WINDOW_S + 1 + index);
  const isBroken = (at: number) => broken.some(({ from, to }) => from <= at && at <= to);
  return [
    ats,
    ats.map((at) => (isBroken(at) ? 1 : null)),
    ats.map((at) => bySecond.get(at)?.placed || null),
    ats.map((at) => bySecond.get(at)?.failed || null),
    ats.map((at) => (bySecond.get(at)?.late.length ? Math.max(...(bySecond.get(at)?.late ?? [])) / 1_000 : null)),
  ];
}
