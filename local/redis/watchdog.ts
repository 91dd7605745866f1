import { type ChildProcess, spawn } from "node:child_process";
import type { DataFolder } from "./data-folder.ts";

/**
 * Waits for the end of standard input. Only this process holds the other end of that pipe, so the pipe closes when this
 * process dies in any way, SIGKILL included. Then the shell stops Redis and removes its temporary folder. A line on the pipe
 * means that Redis has exited: its process id may soon belong to another program, so only the folder is removed.
 */
const SCRIPT = 'if read -r _; then read -r _; else kill -TERM "$1"; fi; [ -z "$2" ] || rm -rf -- "$2"';

const exitHandlers = new Set<() => void>();

export interface Watchdog {
  /** Ends the watch. The caller stops Redis and removes the folder. */
  stop(): Promise<void>;
}

/**
 * Stops a Redis, and removes its temporary folder, when this process ends without having done so.
 *
 * A normal exit is handled here. A signal can end this process before its code runs, so a small shell process watches it.
 * `setpriv --pdeathsig` would need no such process, but is Linux only and leaves the folder.
 */
export function startWatchdog(redis: ChildProcess, folder: DataFolder): Watchdog {
  const tempDir = folder.kept ? "" : folder.path;
  const shell = spawn("/bin/sh", ["-c", SCRIPT, "redis-watchdog", String(redis.pid), tempDir], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  // It must not keep this process alive after Redis was killed.
  shell.unref();
  const shellExited = new Promise<void>((resolve) => shell.once("exit", () => resolve()));
  // Fails only when the watchdog itself was killed.
  shell.stdin.on("error", () => undefined);
  redis.once("exit", () => shell.stdin.write("exited\n"));

  function onExit(): void {
    // SIGTERM lets Redis flush its append-only file. With nothing to keep, SIGKILL is faster.
    redis.kill(folder.kept ? "SIGTERM" : "SIGKILL");
    shell.kill("SIGKILL");
    folder.removeNow();
  }
  if (exitHandlers.size === 0) process.on("exit", runExitHandlers);
  exitHandlers.add(onExit);

  async function stop(): Promise<void> {
    exitHandlers.delete(onExit);
    if (exitHandlers.size === 0) process.off("exit", runExitHandlers);
    shell.ref();
    shell.kill("SIGKILL");
    await shellExited;
  }
  return { stop };
}

function runExitHandlers(): void {
  for (const handle of exitHandlers) handle();
}
