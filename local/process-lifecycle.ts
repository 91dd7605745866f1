import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** What a terminal sends on Ctrl-C and when it closes, and what `kill` sends. */
const TERMINATION_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** SIGKILL to npm reaches nobody else, and no signal tells of it on every system that Node runs on: hence a poll. */
const PARENT_POLL_MS = 500;

/**
 * Runs `stop` once, then exits with code 0: on Ctrl-C, on SIGTERM, when the terminal closes, and when npm is killed.
 *
 * It does not wait for the other handlers of these signals. That of serverless-offline closes its servers, but gives open
 * keep-alive connections 5 s.
 *
 * @param env where npm leaves its mark; without it a parent may end first, as a shell does that started this with `nohup`
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

/** Removes the folders `<prefix><process id>` in `parent` whose process is gone: it was killed before it could do so. */
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
    // It was never made.
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
