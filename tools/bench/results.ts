import { z } from "zod";
import { Row } from "./row.ts";

/** What a run of the bench found, and on what. */
export const Results = z.strictObject({
  /** Of a quick run the best rounds count, of a full one the median. */
  form: z.enum(["full", "quick"]),
  date: z.iso.date(),
  commit: z.string(),
  node: z.string(),
  cpu: z.string(),
  cores: z.int(),
  rows: z.array(Row),
});
export type Results = z.infer<typeof Results>;
