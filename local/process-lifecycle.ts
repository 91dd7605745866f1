/** Ctrl-C, `kill`, and the end of the terminal. */
const TERMINATION_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Only Linux can signal the death of a parent, and Node.js has no call for it, so this polls. */
const PARENT_POLL_MS = 500;

/**
 * Runs `stop` once, then exits with code 0: on Ctrl-C, on SIGTERM, when the terminal closes, and when npm is killed.
 *
 * It does not wait for serverless-offline, whose own handler gives open connections 5 s. From the signal on nothing is
 * printed: errors of a start or a request that is cut off are no news.
 *
 * @param env has `npm_lifecycle_event` when npm is the parent; another parent, such as a shell, may end first
 */
export function exitOnTermination(stop: () => Promise<void>, env: NodeJS.ProcessEnv = process.env): void {
  let stopping = false;
  function terminate(): void {
    if (stopping) return;
    stopping = true;
    process.stdout.write = process.stderr.write = () => true;
    // The framework ends the process with 1 when its start fails because of the signal.
    process.once("exit", () => {
      process.exitCode = 0;
    });
    void stop().finally(() => process.exit());
  }

  for (const signal of TERMINATION_SIGNALS) process.on(signal, terminate);
  if (env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const poll = setInterval(() => {
    if (process.ppid !== parent) terminate();
  }, PARENT_POLL_MS);
  poll.unref();
}
