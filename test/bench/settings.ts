import { median } from "./statistics.ts";

/** How much is measured, and how much of what is measured counts. */
export interface Settings {
  /** Warm calls: rounds in which subject and floor take turns, calls of each a round, and calls before that. */
  readonly warm: { readonly rounds: number; readonly calls: number; readonly warmUp: number };
  /** Refunds and overdue orders a run of the poller and of the sweep. */
  readonly batch: { readonly rounds: number; readonly items: number };
  /** Orders placed at once. */
  readonly burst: number;
  /** Fresh processes of each function. */
  readonly coldStarts: number;
  readonly throughput: { readonly clients: readonly number[]; readonly seconds: number; readonly rounds: number };
  readonly growth: {
    /** Orders stored. The first is what the others are compared with. */
    readonly sizes: readonly number[];
    readonly rounds: number;
    readonly calls: number;
    readonly items: number;
  };
  /** What stands for the rounds, of which each gave one number that is better when lower. */
  readonly typical: (ofRounds: readonly number[]) => number;
}

export const FULL: Settings = {
  warm: { rounds: 10, calls: 250, warmUp: 500 },
  batch: { rounds: 5, items: 8_000 },
  burst: 500,
  coldStarts: 15,
  throughput: { clients: [1, 8, 32], seconds: 3, rounds: 2 },
  growth: { sizes: [1_000, 10_000, 100_000, 1_000_000], rounds: 10, calls: 50, items: 800 },
  typical: median,
};

/**
 * For `npm test`, on a machine that has other work: the best round counts, because other work only ever adds time, and in
 * one of a few rounds, in which subject and floor take turns, it spares both.
 */
export const QUICK: Settings = {
  warm: { rounds: 6, calls: 50, warmUp: 100 },
  batch: { rounds: 3, items: 1_600 },
  burst: 200,
  coldStarts: 5,
  throughput: { clients: [1, 8, 32], seconds: 1, rounds: 1 },
  growth: { sizes: [1_000, 10_000], rounds: 4, calls: 30, items: 400 },
  typical: (ofRounds) => Math.min(...ofRounds),
};
