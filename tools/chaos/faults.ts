import { createHash } from "node:crypto";

/** Decides which faults strike, and counts those that happened. */
export interface Faults {
  /**
   * Whether a fault is to strike now, and which. Whoever makes it happen counts it then.
   * @param boundary where, the first part of the fault's name
   * @param what what it would strike, such as `createOrder of order 17`: each later time is decided anew
   * @param weights the kinds that can strike there
   * @param share of the run's rate
   */
  strike<Kind extends string>(
    boundary: string,
    what: string,
    weights: Readonly<Record<Kind, number>>,
    share?: number,
  ): Kind | undefined;
  /** Counts a fault that has happened, such as `redis.reset_after`. */
  count(name: string): void;
  /** No further fault strikes. */
  end(): void;
  readonly counts: Readonly<Record<string, number>>;
  readonly total: number;
}

export function createFaults(chance: SeededRandom, rate: number): Faults {
  const counts = new Map<string, number>();
  const times = new Map<string, number>();
  let ended = false;

  function count(name: string): void {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }

  return {
    strike(boundary, what, weights, share = 1) {
      const time = (times.get(`${boundary} ${what}`) ?? 0) + 1;
      times.set(`${boundary} ${what}`, time);
      const occasion = `${boundary} ${what} ${time}`;
      if (ended || chance.at(occasion) >= rate * share) return undefined;
      const kind = chance.pick(`${occasion} kind`, weights);
      return kind;
    },
    count,
    end() {
      ended = true;
    },
    get counts() {
      return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
    },
    get total() {
      return [...counts.values()].reduce((sum, number) => sum + number, 0);
    },
  };
}

const BYTES = 6;

/**
 * SeededRandom that repeats: what is drawn depends on the seed and on what it is drawn for, and never on when. Two runs of one
 * seed therefore decide alike for the same order's same call (`the second Redis call of createOrder for order 17`), in
 * whatever order the calls of different orders come.
 *
 * What a seed cannot fix is how many calls there are: a slower machine polls, sweeps and retries at other moments, so the
 * counts of two runs differ by a few per cent. Pollers and sweeps, whose calls belong to no single order, are numbered as
 * they come. So is what five clients of one order do at once.
 */
export interface SeededRandom {
  /** From 0 to under 1. */
  at(what: string): number;
  /** A whole number from `from` to `to`, both included. */
  between(what: string, from: number, to: number): number;
  /** A name, each as likely as its weight. */
  pick<Name extends string>(what: string, weights: Readonly<Record<Name, number>>): Name;
}

export function createSeededRandom(seed: number): SeededRandom {
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
