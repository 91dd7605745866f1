/** Runs `work` when its turn has come: at most so many at once, the others wait in order. */
export type Gate = <Result>(work: () => Promise<Result>) => Promise<Result>;

/**
 * A gate for `width` works at once. Not the sockets' own limit (`maxSockets` of an http Agent): that one builds every
 * waiting request first, and of thousands due in one second the first would leave when the last is built.
 */
export function createGate(width: number): Gate {
  const waiting: (() => void)[] = [];
  let underWay = 0;

  return async (work) => {
    if (underWay < width) underWay++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The place goes to the next in line without being given back: nobody can slip in between.
      const next = waiting.shift();
      if (next) next();
      else underWay--;
    }
  };
}
