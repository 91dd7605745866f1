import pLimit from "p-limit";
import { createAmbush } from "./ambush.ts";
import { createChance } from "./chance.ts";
import { readFacts } from "./facts.ts";
import { createFaults } from "./faults.ts";
import { judge } from "./invariants/all.ts";
import { createJournal } from "./journal.ts";
import type { Options } from "./options.ts";
import { createPriceBook } from "./price-book.ts";
import type { Progress } from "./progress.ts";
import { startReader } from "./reader.ts";
import { createRefundPlan } from "./refund-plan.ts";
import { createRefundDesk } from "./refund-requests.ts";
import { type Findings, findingsOf } from "./report.ts";
import { settle } from "./settle.ts";
import { createShop, type Placement } from "./shop.ts";
import { startStack } from "./stack.ts";
import { startTimers } from "./timers.ts";
import { undo } from "./undo/protections.ts";
import { createVandals } from "./vandals.ts";

/** Clients at once. */
const CLIENTS = 24;

/**
 * The sweep's clock while faults strike: its grace of a minute is over for an order that is 2 to 6 seconds late, so that
 * sweeps and late deliveries race each other.
 */
const SWEEP_AHEAD_MS = 56_000;

/** One whole run: orders and refunds under faults, then calm, then judgement. Everything that it starts ends with it. */
export async function run(options: Options, progress: Progress): Promise<Findings> {
  const { orders, faults: rate, seed } = options;
  const chance = createChance(seed);
  const faults = createFaults(chance, rate);
  const journal = createJournal();
  const ambush = createAmbush();
  const prices = options.priced ? createPriceBook() : undefined;
  await using stack = await startStack({
    chance,
    faults,
    journal,
    ambush,
    plugins: options.undo ? [undo(options.undo)] : [],
    prices,
  });
  stack.sweepAheadMs = SWEEP_AHEAD_MS;

  let requests = 0;
  const onRequest = () => {
    requests += 1;
  };
  const desk = createRefundDesk(chance, stack.database, journal);
  const plan = createRefundPlan(chance, faults, rate, desk);
  const vandalize = createVandals({ orders, rate, chance, faults, database: stack.database, desk, ambush });
  const reader = startReader(stack.apiUrl, journal, onRequest);
  const stopTimers = startTimers(stack.host, stack.database);
  const place = createShop({
    apiUrl: stack.apiUrl,
    chance,
    faults,
    journal,
    prices,
    onRequest,
    onPlaced(order, pk) {
      reader.watch(order, pk);
      plan.follow(order, pk);
    },
  });

  const placements: Placement[] = [];
  const gate = pLimit(CLIENTS);
  await Promise.all(
    Array.from({ length: orders }, (_, index) =>
      gate(async () => {
        const order = index + 1;
        const [placement] = await Promise.all([place(order), vandalize(order)]);
        placements.push(placement);
        if (order === Math.ceil(orders / 2)) await plan.flood(orders);
        progress.show({ done: placements.length, of: orders, requests, faults: faults.total });
      }),
    ),
  );
  progress.say("all orders are placed: asking for the last refunds");
  await plan.done();
  faults.end();
  progress.say("the faults have ended: one sweep, and the pollers");
  await stopTimers();
  await settle(stack);
  await reader.stop();

  const facts = await stack.database.direct(readFacts);
  const evidence = { facts, placements, requests: desk.requests, seen: reader.violations, prices };
  const violations = judge(evidence);
  return findingsOf({ options, requests, faults: faults.counts, evidence, violations, journal });
}
