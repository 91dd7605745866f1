import pLimit from "p-limit";
import { type Outcome, parseOptions, runTool } from "../../tools/command.ts";
import { DEFECT_NAMES, PROTECTIONS } from "./mutants.ts";
import { Options } from "./options.ts";
import type { Findings } from "./report.ts";

const USAGE = `npm run chaos -- [options]

  --orders <n>     how many orders are placed (200)
  --faults <r>     the share of calls that have a fault, from 0 to 1 (0.2)
  --seed <n>       which calls have which faults (1): the same seed has the same faults at the same calls of the same orders
  --completion <m> who completes orders: scheduler (the default) or sweep
  --priced         the service asks an inventory for prices, which fails as well
  --undo <name>    runs the service without one of its protections, to see the suite find it:
                   ${PROTECTIONS.join(", ")}
  --defect <name>  runs the service with a bug, to see the suite find it:
                   ${DEFECT_NAMES.join(", ")}
  --prove          runs all of these, and the sound service; succeeds when each is found and the sound one passes
`;

/** What `--prove` runs: small, but large enough that the suite finds what is wrong. */
const PROOFS: readonly Partial<Options>[] = [
  { orders: 300, seed: 11 },
  { orders: 300, seed: 23, completion: "sweep" },
  { orders: 30, seed: 12, defect: "create-fails" },
  { orders: 200, seed: 13, defect: "order-dropped" },
  { orders: 600, seed: 14, defect: "announced-twice" },
  { orders: 300, seed: 15, defect: "refund-counted-twice" },
  { orders: 30, faults: 0, seed: 24, defect: "completed-early", completion: "sweep" },
  { orders: 300, seed: 25, defect: "sweep-locked", completion: "sweep" },
  { orders: 300, seed: 16, undo: "atomicity" },
  { orders: 300, seed: 17, undo: "pending-check" },
  { orders: 300, seed: 7, undo: "effect-first" },
  { orders: 60, seed: 18, undo: "leave-refused" },
  { orders: 200, seed: 19, undo: "idempotency-key" },
  { orders: 300, seed: 20, undo: "claim", priced: true },
  { orders: 300, seed: 11, undo: "keep-claim", priced: true },
  { orders: 300, seed: 11, undo: "catch-up-pause" },
  { orders: 200, seed: 21, undo: "sweep" },
  { orders: 200, seed: 22, undo: "reclaim" },
];

/** Each run waits for its orders' 5 seconds most of the time. */
const PROOFS_AT_ONCE = 4;

const MAX_SHOWN = 20;

await runTool({
  usage: USAGE,
  readOptions: (args) => parseOptions(Options, args),
  run: (options) => (options.prove ? prove() : chaos(options)),
});

/** What broke on standard error, the findings as one JSON line on standard output. */
async function chaos(options: Options): Promise<Outcome> {
  const { summary, violations, history } = await findings(options, (line) => process.stderr.write(`${line}\n`));
  for (const { invariant, kind, order, ref, detail } of violations.slice(0, MAX_SHOWN)) {
    const about = [`invariant ${invariant}`, kind, ...(order === undefined ? [] : [`order ${order}`]), ref ?? ""];
    process.stderr.write(`${about.filter(Boolean).join(", ")}: ${detail}\n`);
  }
  if (history) process.stderr.write(`\n${history}\n`);
  return { output: `${JSON.stringify(summary)}\n`, exitCode: summary.ok ? 0 : 1 };
}

/** Shows that the suite finds each missing protection and each bug, and finds nothing in the sound service. */
async function prove(): Promise<Outcome> {
  const rows = await pLimit(PROOFS_AT_ONCE).map(PROOFS, async (given) => {
    const options = Options.parse(given);
    const name = options.undo ? `--undo ${options.undo}` : options.defect ? `--defect ${options.defect}` : "sound";
    const { summary, violations } = await findings(options, () => undefined);
    const right = summary.ok === (name === "sound");
    const broken = [...new Set(violations.map(({ invariant }) => invariant))].sort((a, b) => a - b);
    const found = broken.length > 0 ? `breaks ${broken.join(", ")} (${violations.length} times)` : "breaks nothing";
    process.stderr.write(
      `${right ? "✓" : "✗"} ${name}, ${options.orders} orders, ${options.completion}, seed ${options.seed}: ${found}\n`,
    );
    return { name, right, violations: violations.length };
  });
  const ok = rows.every(({ right }) => right);
  return { output: `${JSON.stringify({ ok, runs: rows })}\n`, exitCode: ok ? 0 : 1 };
}

/** @throws the first failure: closing what a failed run has started may fail too */
async function findings(options: Options, log: (line: string) => void): Promise<Findings> {
  // Only now, so that --help is quick.
  const { run } = await import("./run.ts");
  try {
    return await run(options, log);
  } catch (error) {
    throw error instanceof SuppressedError ? error.suppressed : error;
  }
}
