/** How often a line is written where nobody can watch it change. */
const PLAIN_PAUSE_MS = 5_000;
const LIVE_PAUSE_MS = 200;

export interface Step {
  readonly done: number;
  readonly of: number;
  readonly requests: number;
  readonly faults: number;
}

/** Tells how far a run has come, on standard error. */
export interface Progress {
  show(step: Step): void;
  say(line: string): void;
}

export const silent: Progress = { show: () => undefined, say: () => undefined };

/** One line that changes at a terminal, a line now and then elsewhere. */
export function createProgress(out: NodeJS.WriteStream): Progress {
  const startedMs = performance.now();
  let shownMs = 0;

  const seconds = () => `${Math.round((performance.now() - startedMs) / 1000)} s`;
  const write = (line: string) => out.write(out.isTTY ? `\r\x1b[K${line}` : `${line}\n`);

  return {
    show({ done, of, requests, faults }) {
      const pauseMs = out.isTTY ? LIVE_PAUSE_MS : PLAIN_PAUSE_MS;
      if (done < of && performance.now() - shownMs < pauseMs) return;
      shownMs = performance.now();
      write(`${done} of ${of} orders, ${requests} requests, ${faults} faults, ${seconds()}`);
    },
    say: (line) => void write(`${line}, ${seconds()}${out.isTTY ? "\n" : ""}`),
  };
}
