import { createHash } from "node:crypto";

const BYTES = 6;

/**
 * Chance that repeats: what is drawn depends on the seed and on what it is drawn for, and never on when. Two runs of one
 * seed therefore decide alike for the same order's same call (`the second Redis call of createOrder for order 17`), in
 * whatever order the calls of different orders come.
 *
 * What a seed cannot fix is how many calls there are: a slower machine polls, sweeps and retries at other moments, so the
 * counts of two runs differ by a few per cent. Pollers and sweeps, whose calls belong to no single order, are numbered as
 * they come. So is what five clients of one order do at once.
 */
export interface Chance {
  /** From 0 to under 1. */
  at(what: string): number;
  /** A whole number from `from` to `to`, both included. */
  between(what: string, from: number, to: number): number;
  /** A name, each as likely as its weight. */
  pick<Name extends string>(what: string, weights: Readonly<Record<Name, number>>): Name;
}

export function createChance(seed: number): Chance {
  function at(what: string): number {
    const digest = createHash("sha256").update(`${seed}/${what}`).digest();
    return digest.readUIntBE(0, BYTES) / 2 ** (8 * BYTES);
  }

  function pick<Name extends string>(what: string, weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries<number>(weights) as [Name, number][];
    let left = at(what) * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      left -= weight;
      if (left < 0) return name;
    }
    throw new RangeError("There is nothing to pick from");
  }

  return { at, between: (what, from, to) => from + Math.floor(at(what) * (to - from + 1)), pick };
}
