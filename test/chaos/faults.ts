import type { Chance } from "./chance.ts";

/** Decides which faults strike, and counts them. */
export interface Faults {
  /**
   * Whether a fault strikes now, and which.
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
  /** Counts a fault that was planned otherwise. */
  count(name: string): void;
  /** No further fault strikes. */
  end(): void;
  readonly counts: Readonly<Record<string, number>>;
  readonly total: number;
}

export function createFaults(chance: Chance, rate: number): Faults {
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
      count(`${boundary}.${kind}`);
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
