import { table } from "../../test/support/markdown.ts";
import type { Row, Target } from "./row.ts";

const HEAD = ["measure", "this service", "floor", "compared", "target", ""];
const SIGNS = { "at most": "≤", "at least": "≥", exactly: "=" } as const;

/** What a run found, as a table of Markdown. */
export const tableOfRows = (rows: readonly Row[]): string => table(HEAD, rows.map(cellsOf));

function cellsOf(row: Row): string[] {
  const { measure, unit, subject, floor, target, met } = row;
  return [
    measure,
    amount(subject, unit),
    floor === undefined ? "" : amount(floor, unit),
    compared(row),
    target ? targetText(target, unit) : "",
    met === undefined ? "" : met ? "met" : "**missed**",
  ];
}

function compared({ ratio, difference, unit }: Row): string {
  if (ratio !== undefined) return `${number(ratio)}×`;
  return difference === undefined ? "" : `${difference < 0 ? "-" : "+"}${amount(Math.abs(difference), unit)}`;
}

function targetText({ of, bound, value }: Target, unit: Row["unit"]): string {
  const text = { ratio: `${value}×`, difference: `+${amount(value, unit)}`, subject: amount(value, unit) }[of];
  return bound === "exactly" && of === "subject" ? text : `${SIGNS[bound]} ${text}`;
}

function amount(value: number, unit: Row["unit"]): string {
  if (unit === "calls") return number(value);
  return unit === "/s" ? `${number(value)}/s` : `${number(value)} ${unit}`;
}

/** To 3 figures, whole from 100. */
function number(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}
