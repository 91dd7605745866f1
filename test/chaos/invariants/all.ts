import { announcedOnce } from "./announced-once.ts";
import { ended } from "./ended.ts";
import { legalMoves } from "./legal-moves.ts";
import { nothingLeft } from "./nothing-left.ts";
import { placedOnce } from "./placed-once.ts";
import { pricedOnce } from "./priced-once.ts";
import { refundedOnce } from "./refunded-once.ts";
import { refusedHonestly } from "./refused-honestly.ts";
import type { Evidence, Violation } from "./violation.ts";

/** Holds a run against every invariant, in their order. */
export function judge(evidence: Evidence): Violation[] {
  const invariants = [
    placedOnce,
    ended,
    announcedOnce,
    refundedOnce,
    nothingLeft,
    legalMoves,
    pricedOnce,
    refusedHonestly,
  ];
  return invariants.flatMap((hold) => hold(evidence));
}
