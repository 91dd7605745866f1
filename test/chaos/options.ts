import { parseArgs } from "node:util";
import { z } from "zod";
import { validOptions } from "../../tools/command.ts";
import { PROTECTIONS } from "./undo/protections.ts";

export const Options = z.strictObject({
  orders: z.coerce.number().int().min(1).max(1_000_000).default(200),
  faults: z.coerce.number().min(0).max(1).default(0.2),
  seed: z.coerce.number().int().min(0).default(1),
  priced: z.boolean().default(false),
  undo: z.enum(PROTECTIONS).optional(),
});
export type Options = z.infer<typeof Options>;

export const USAGE = `npm run chaos -- [options]

  --orders <n>   how many orders are placed (200)
  --faults <r>   how many of the calls a fault strikes, from 0 to 1 (0.2)
  --seed <n>     which faults strike where (1)
  --priced       the service asks an inventory for prices, which fails as well
  --undo <name>  runs the service without one of its protections, to see the suite catch it:
                 ${PROTECTIONS.join(", ")}
`;

/** @throws Error in one line that says which option is wrong */
export function readOptions(args: readonly string[]): Options {
  const value = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { orders: value, faults: value, seed: value, priced: { type: "boolean" }, undo: value },
  });
  return validOptions(Options, values);
}
