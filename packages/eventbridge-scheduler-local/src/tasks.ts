/** Work that goes on after the call that began it, kept in hand so that a stop can wait for its end. */
export interface Tasks {
  /** Begins `work`. A rejection is a bug of ours: it is logged, and stops nothing else. */
  start(work: () => Promise<void>): void;
  /** Resolves when nothing is under way. */
  settled(): Promise<void>;
}

export function createTasks(log: (line: string) => void): Tasks {
  const underWay = new Set<Promise<void>>();

  function start(work: () => Promise<void>): void {
    const task = work()
      .catch((error: unknown) => log(`scheduler: a bug: ${error instanceof Error ? error.stack : String(error)}`))
      .finally(() => underWay.delete(task));
    underWay.add(task);
  }

  async function settled(): Promise<void> {
    while (underWay.size > 0) await Promise.all(underWay);
  }

  return { start, settled };
}
