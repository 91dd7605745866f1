import { z } from "zod";
import { parseOptions, runTool } from "../../tools/command.ts";

const USAGE = `npm run cost -- [--orders 500] [--write]

Places orders at the built functions on real Redis, counts what AWS and Upstash would bill, and prints what a million cost.

  --orders <n>  how many orders are placed and counted
  --write       writes the results into docs/cost.md
`;

const Options = z.object({
  orders: z.coerce.number().int().min(1).max(100_000).default(500),
  write: z.boolean().default(false),
});

await runTool({
  usage: USAGE,
  readOptions: (args) => parseOptions(Options, args),
  async run({ orders, write }) {
    // Only now, so that --help is quick.
    const { cost } = await import("./cost.ts");
    return cost(orders, write);
  },
});
