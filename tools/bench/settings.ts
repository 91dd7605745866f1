import { median } from "./statistics.ts";

/** How much is measured, and how much of what is measured counts. */
export interface Settings {
  /** Warm calls: rounds, calls per round, and calls before that. */
  readonly warm: { readonly rounds: number; readonly calls: number; readonly warmUp: number };
  /** Refunds and overdue orders a run of the poller and of the sweep. */
  readonly batch: { readonly rounds: number; readonly items: number };
  /** Orders placed at once, and then as many schedules of the floor. */
  readonly bursts: { readonly rounds: number; readonly orders: number };
  /** Fresh processes of each function, and whether the time counts that passed or that of the CPU. */
  readonly coldStarts: { readonly rounds: number; readonly by: "time" | "cpu" };
  /** Fresh instances of each function. */
  readonly memory: { readonly rounds: number };
  readonly throughput: {
    readonly clients: readonly number[];
    readonly seconds: number;
    readonly rounds: number;
    /** Calls of each instance before: V8 takes hundreds until it has compiled what is used most. */
    readonly warmUp: number;
  };
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

/** The median counts: of an odd number of rounds, so that it is the middle one. */
export const FULL: Settings = {
  warm: { rounds: 11, calls: 250, warmUp: 500 },
  batch: { rounds: 5, items: 8_000 },
  bursts: { rounds: 3, orders: 500 },
  coldStarts: { rounds: 15, by: "time" },
  memory: { rounds: 3 },
  throughput: { clients: [1, 8, 32], seconds: 3, rounds: 3, warmUp: 500 },
  growth: { sizes: [1_000, 10_000, 100_000, 1_000_000], rounds: 9, calls: 50, items: 800 },
  typical: median,
};

/**
 * For `npm test`, on a machine that has other work: the best round counts, because other work only ever adds time, and in
 * one of a few rounds, in which subject and floor take turns, it spares both. A cold start is one long piece of work, which
 * such a machine never lets alone: there the CPU time counts.
 */
export const QUICK: Settings = {
  warm: { rounds: 5, calls: 200, warmUp: 300 },
  batch: { rounds: 6, items: 1_600 },
  bursts: { rounds: 1, orders: 100 },
  coldStarts: { rounds: 4, by: "cpu" },
  memory: { rounds: 1 },
  throughput: { clients: [1, 32], seconds: 1, rounds: 1, warmUp: 50 },
  growth: { sizes: [1_000, 10_000], rounds: 6, calls: 30, items: 400 },
  typical: (ofRounds) => Math.min(...ofRounds),
};
