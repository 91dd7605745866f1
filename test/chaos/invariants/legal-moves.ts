import type { Invariant } from "./violation.ts";

/** 6. No illegal move of an order's state was ever seen by a reader who polled through the whole run. */
export const legalMoves: Invariant = ({ seen }) =>
  seen.map(({ order, detail }) => ({ invariant: 6, kind: "wrong_state", order, detail }));
