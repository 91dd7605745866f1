import { widgetMetric } from "../metrics.js";
import { reference } from "../references.js";

/** CloudWatch's grid is 24 wide (CloudWatch API Reference, "Dashboard body structure"). */
const COLUMNS = 2;
const WIDTH = 24 / COLUMNS;
const HEIGHT = 6;
const TITLE_HEIGHT = 2;

/** @param lines `[label, metric]`, with a statistic of its own where it is not the graph's */
export const graph = (title, stat, lines) => ({
  type: "metric",
  properties: {
    title,
    stat,
    period: 60,
    view: "timeSeries",
    region: reference("AWS::Region"),
    metrics: lines.map(([label, metric, own]) => widgetMetric(metric, { label, ...(own && { stat: own }) })),
  },
});

/** A line for each metric that a search finds (CloudWatch User Guide, "Search expression syntax"). */
export const search = (title, terms, stat) => ({
  type: "metric",
  properties: {
    title,
    view: "timeSeries",
    region: reference("AWS::Region"),
    metrics: [[{ expression: `SEARCH('${terms}', '${stat}', 60)` }]],
  },
});

export const text = (markdown) => ({ type: "text", properties: { markdown } });

/** The title over the whole width, then the others in rows. */
export function layOut([title, ...others]) {
  return [
    { ...title, x: 0, y: 0, width: 24, height: TITLE_HEIGHT },
    ...others.map((widget, index) => ({
      ...widget,
      x: (index % COLUMNS) * WIDTH,
      y: TITLE_HEIGHT + Math.floor(index / COLUMNS) * HEIGHT,
      width: WIDTH,
      height: HEIGHT,
    })),
  ];
}
