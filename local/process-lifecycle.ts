import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Ctrl-C, `kill`, and the end of the terminal. */
const TERMINATION_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Only Linux can signal the death of a parent, and Node.js has no call for it, so this polls. */
const PARENT_POLL_MS = 500;

/**
 * Runs `stop` once, then exits with code 0: on Ctrl-C, on SIGTERM, when the terminal closes, and when npm is killed.
 *
 * It does not wait for serverless-offline, whose own handler gives open connections 5 s.
 *
 * @param env has `npm_lifecycle_event` when npm is the parent; another parent, such as a shell, may end first
 */
export function exitOnTermination(stop: () => Promise<void>, env: NodeJS.ProcessEnv = process.env): void {
  let stopping = false;
  function terminate(): void {
    if (stopping) return;
    stopping = true;
    void stop().finally(() => process.exit(0));
  }

  for (const signal of TERMINATION_SIGNALS) process.on(signal, terminate);
  if (env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const poll = setInterval(() => {
    if (process.ppid !== parent) terminate();
  }, PARENT_POLL_MS);
  poll.unref();
}

/** Removes the folders `<prefix><process id>` in `parent` whose process was killed before it could do so itself. */
export function removeStaleFolders(parent: string, prefix = ""): void {
  for (const name of namesIn(parent)) {
    const pid = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    if (/^\d+$/.test(pid) && !isRunning(Number(pid))) rmSync(join(parent, name), { recursive: true, force: true });
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // It does not exist yet.
    return [];
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as another user.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
