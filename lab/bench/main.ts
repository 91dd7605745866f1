import { z } from "zod";
import { parseOptions, runTool } from "../../tools/command.ts";

const USAGE = `npm run bench -- [--quick] [--write]
npm run bench -- --against <url> [--inventory <url>] [--quick]

Measures the built functions on this machine, with each way of completion. Takes about eight minutes.

  --quick          a smoke run of two minutes
  --write          writes the results into docs/benchmarks.md
  --against <url>  sends the same load to this service, with each way of completion, and to another one, in turns, and prints a
                   table. The other one needs POST /orders and GET /orders/{pk}
  --inventory <url>  measures this service with prices, too, from the inventory at this address. It needs the product tea-green
`;

const Options = z.object({
  quick: z.boolean().default(false),
  write: z.boolean().default(false),
  against: z.url({ protocol: /^https?$/ }).optional(),
  inventory: z.url({ protocol: /^https?$/ }).optional(),
});

await runTool({
  usage: USAGE,
  readOptions: (args) => parseOptions(Options, args),
  async run({ quick, write, against, inventory }) {
    // Only now, so that --help is quick.
    const { bench, compare } = await import("./bench.ts");
    return against === undefined ? bench(quick, write) : compare(against, inventory, quick);
  },
});
