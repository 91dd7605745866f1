import { createHash } from "node:crypto";

const BYTES = 6;

type Kinds<Kind extends string> = Readonly<Record<Kind, unknown>>;
type Weights<Kind extends string> = Readonly<Partial<Record<Kind, number>>>;

/** Decides which faults happen, and counts those that did. */
export function createFaults(chance: ReturnType<typeof createSeededRandom>, rate: number) {
  const counts: Record<string, number> = {};
  const times: Record<string, number> = {};
  const countUp = (map: Record<string, number>, name: string) => (map[name] = (map[name] ?? 0) + 1);

  const faults = {
    /** Once this is set, no further fault happens. */
    ended: false,
    /**
     * The fault that is to happen now, if any. The caller makes it happen, and counts it.
     * @param boundary where, the first part of the fault's name
     * @param what what it would hit, such as `createOrder of order 17`: each time is decided separately
     * @param kinds the faults that can happen there, by name
     * @param weights of those that are not as likely as the others
     * @param share of the run's rate
     */
    strike<Kind extends string>(
      boundary: string,
      what: string,
      kinds: Kinds<Kind>,
      weights?: Weights<Kind>,
      share = 1,
    ): Kind | undefined {
      const occasion = `${boundary} ${what}`;
      const time = `${occasion} ${countUp(times, occasion)}`;
      if (faults.ended || chance.at(time) >= rate * share) return undefined;
      return chance.pick(`${time} kind`, kinds, weights);
    },
    /** Counts a fault that has happened, such as `redis.reset_after`. */
    count: (name: string): void => void countUp(counts, name),
    counts,
  };
  return faults;
}

/**
 * Repeatable chance: a draw depends on the seed and on what it is for, never on the time. Two runs with the same seed
 * therefore decide the same for the same call of the same order (`the second Redis call of createOrder for order 17`), even
 * when the calls of different orders arrive in another order. Calls of pollers and sweeps belong to no single order, and are
 * numbered as they arrive. So are the calls of five clients of one order.
 */
export function createSeededRandom(seed: number) {
  /** From 0 to under 1. */
  function at(what: string): number {
    const digest = createHash("sha256").update(`${seed}/${what}`).digest();
    return digest.readUIntBE(0, BYTES) / 2 ** (8 * BYTES);
  }

  return {
    at,
    /** A whole number from `from` to `to`, both included. */
    between: (what: string, from: number, to: number) => from + Math.floor(at(what) * (to - from + 1)),
    /** One of the kinds, each as likely as its weight: 1 where none is given. */
    pick<Kind extends string>(what: string, kinds: Kinds<Kind>, weights?: Weights<Kind>): Kind {
      const names = Object.keys(kinds) as Kind[];
      const weightOf = (name: Kind) => weights?.[name] ?? 1;
      let left = at(what) * names.reduce((sum, name) => sum + weightOf(name), 0);
      for (const name of names) {
        left -= weightOf(name);
        if (left < 0) return name;
      }
      throw new RangeError("There is nothing to pick from");
    },
  };
}
