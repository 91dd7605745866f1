import { parseArgs } from "node:util";

export const USAGE = `npm run bench -- [options]

  --quick            a minute instead of eight: fewer calls, 10,000 orders at most, and nothing is written
  --readme           writes the table into README.md, besides docs/bench
  --charts <folder>  where charts and results.json go (docs/bench); the README shows those of docs/bench
  --sizes            only writes the sizes of the bundles into test/bench/bundle-sizes.json
`;

export interface Options {
  readonly quick: boolean;
  readonly readme: boolean;
  readonly sizes: boolean;
  readonly charts: string;
}

/** @throws Error that says which option is wrong */
export function readOptions(args: readonly string[]): Options {
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { quick: flag, readme: flag, sizes: flag, charts: { type: "string", default: "docs/bench" } },
  });
  if (values.quick && values.readme) throw new Error("--readme: a quick run is not for the README");
  return values;
}
