import { parseArgs } from "node:util";
import { z } from "zod";
import { validOptions } from "../../test/support/tool.ts";

export const Options = z.strictObject({
  orders: z.coerce.number().int().min(1).max(100_000).default(500),
  refunds: z.coerce.number().min(0).max(1).default(0.05),
  "orders-a-month": z.coerce.number().int().min(1).max(1_000_000_000).default(1_000_000),
  write: z.boolean().default(false),
});
export type Options = z.infer<typeof Options>;

export const USAGE = `npm run cost -- [options]

  --orders <n>          how many orders are placed and counted (500)
  --refunds <r>         how many of them are refunded, from 0 to 1 (0.05)
  --orders-a-month <n>  for how many the months are compared (1000000)
  --write               puts the tables into README.md, and the numbers into docs/cost.json
`;

/** @throws Error in one line that says which option is wrong */
export function readOptions(args: readonly string[]): Options {
  const value = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { orders: value, refunds: value, "orders-a-month": value, write: { type: "boolean" } },
  });
  return validOptions(Options, values);
}
