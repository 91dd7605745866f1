import { type ChildProcess, spawn } from "node:child_process";
import type { DataFolder } from "./data-folder.ts";

/**
 * Waits for the end of standard input. Only this process holds the other end of that pipe, so it ends however this
 * process dies, SIGKILL included; then Redis is told to shut down and its temporary folder goes. A line on the pipe says
 * that Redis is gone already: its process id may soon be another's, and only the folder is left to care for.
 */
const WATCHDOG = 'if read -r _; then read -r _; else kill -TERM "$1"; fi; [ -z "$2" ] || rm -rf -- "$2"';

const exitHandlers = new Set<() => void>();

export interface Lifeline {
  /** Ends the watch; the process and the folder are the caller's again. */
  cut(): Promise<void>;
}

/**
 * Makes a Redis, and its temporary folder, go with this process when `stop` is never called.
 *
 * A normal exit is handled here and at once. Death by a signal runs no code of ours: a small shell process of its own
 * sees it instead. `setpriv --pdeathsig` would need no such process, but is Linux only and leaves the folder.
 */
export function tieToParent(redis: ChildProcess, folder: DataFolder): Lifeline {
  const doomedFolder = folder.kept ? "" : folder.path;
  const watchdog = spawn("/bin/sh", ["-c", WATCHDOG, "redis-watchdog", String(redis.pid), doomedFolder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  // A program whose Redis was killed, and that has nothing else to do, must be able to end.
  watchdog.unref();
  const watchdogEnded = new Promise<void>((resolve) => watchdog.once("exit", () => resolve()));
  // Fails only when the watchdog was killed from outside, and then there is nobody left to tell.
  watchdog.stdin.on("error", () => undefined);
  redis.once("exit", () => watchdog.stdin.write("gone\n"));

  function onExit(): void {
    // SIGTERM lets Redis flush its append-only file; with nothing to keep, at once is better.
    redis.kill(folder.kept ? "SIGTERM" : "SIGKILL");
    watchdog.kill("SIGKILL");
    folder.closeNow();
  }
  if (exitHandlers.size === 0) process.on("exit", runExitHandlers);
  exitHandlers.add(onExit);

  async function cut(): Promise<void> {
    exitHandlers.delete(onExit);
    if (exitHandlers.size === 0) process.off("exit", runExitHandlers);
    watchdog.ref();
    watchdog.kill("SIGKILL");
    await watchdogEnded;
  }
  return { cut };
}

function runExitHandlers(): void {
  for (const handle of exitHandlers) handle();
}
