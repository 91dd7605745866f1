/** One call of a side, number `index` from 0; returns what was measured, mostly ms. */
export type Call = (index: number) => Promise<number>;

/**
 * Has all sides take turns, a round of calls each, and each round in the other direction: what else the machine does
 * strikes all of them alike.
 * @returns for each side, in the order given, what its calls returned, by round
 */
export async function interleave(
  sides: readonly Call[],
  { rounds, calls }: { readonly rounds: number; readonly calls: number },
): Promise<number[][][]> {
  const taken: number[][][] = sides.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    const turns = [...sides.entries()];
    for (const [side, measure] of round % 2 === 0 ? turns : turns.toReversed()) {
      const ofRound: number[] = [];
      for (let index = 0; index < calls; index += 1) ofRound.push(await measure(round * calls + index));
      taken[side]?.push(ofRound);
    }
  }
  return taken;
}
