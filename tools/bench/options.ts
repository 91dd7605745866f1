import { parseArgs } from "node:util";
import { DOCS_FOLDER } from "./write-results.ts";

export const USAGE = `npm run bench -- [options]

  --quick            a minute or two instead of five: fewer calls, 10,000 orders at most, and nothing is written
  --charts <folder>  where results.json and the charts go (docs/bench, and then the table into README.md too)
  --render           measures nothing: writes the charts and the README's table from results.json
`;

export interface Options {
  readonly quick: boolean;
  readonly charts: string;
  readonly render: boolean;
}

/** @throws Error that says which option is wrong */
export function readOptions(args: readonly string[]): Options {
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { quick: flag, render: flag, charts: { type: "string", default: DOCS_FOLDER } },
  });
  return values;
}
