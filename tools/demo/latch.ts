export interface Latch {
  /** Resolves once all have passed. */
  readonly opened: Promise<void>;
  pass(): void;
}

/** Holds work back until `count` others have passed. */
export function latch(count: number): Latch {
  const { promise, resolve } = Promise.withResolvers<void>();
  let missing = count;
  return {
    opened: promise,
    pass: () => {
      missing -= 1;
      if (missing === 0) resolve();
    },
  };
}
