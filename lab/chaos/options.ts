import { z } from "zod";
import { Completion } from "../../lib/orders/completion-delay.ts";
import { DEFECT_NAMES, PROTECTIONS } from "./mutants.ts";

/** The options of a run. */
export const Options = z.strictObject({
  orders: z.coerce.number().int().min(1).max(1_000_000).default(200),
  faults: z.coerce.number().min(0).max(1).default(0.2),
  seed: z.coerce.number().int().min(0).default(1),
  completion: z.enum(Completion.def.entries).default("scheduler"),
  priced: z.boolean().default(false),
  undo: z.enum(PROTECTIONS).optional(),
  defect: z.enum(DEFECT_NAMES).optional(),
  prove: z.boolean().default(false),
});
export type Options = z.infer<typeof Options>;
