import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { access, constants, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { reasonOf } from "./error-reason.ts";

/**
 * Waits for the end of standard input. Only this process holds the other end, so the pipe closes when it dies, by SIGKILL too.
 * Its children may write on for a moment: the folder has to stay away for a second.
 */
const WATCHDOG = 'read -r _; until rm -rf -- "$1"; sleep 1; [ ! -e "$1" ]; do :; done';

/**
 * Creates a folder and its parents, and makes sure that files can be written there.
 *
 * Not with `recursive`: Node.js 24 retries for ever where a folder exists and refuses new entries with ENOENT, as /proc does.
 *
 * @param path absolute
 * @param remedy what to do when this is impossible: the end of the error's message
 * @throws Error in one line
 */
export async function makeWritableFolder(path: string, remedy: string): Promise<void> {
  try {
    await make(path);
    await access(path, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new Error(`Cannot write to ${path} (${reasonOf(cause)}). ${remedy}`, { cause });
  }
}

/**
 * Removes a folder when this process ends, in any way.
 *
 * Nobody else may remove it: whether this process still runs cannot be seen from another container that has the same disk.
 *
 * @returns keeps the folder
 */
export function removeAtExit(folder: string): () => void {
  // In a process group of its own, so that Ctrl-C does not end it before this process.
  const watchdog = spawn("/bin/sh", ["-c", WATCHDOG, "folder-watchdog", folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watchdog.unref();
  // Without a watchdog, only a process that is killed leaves its folder.
  watchdog.on("error", () => undefined);
  watchdog.stdin.on("error", () => undefined);

  function remove(): void {
    watchdog.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
  process.once("exit", remove);
  return () => {
    process.off("exit", remove);
    watchdog.kill("SIGKILL");
  };
}

async function make(path: string): Promise<void> {
  if (await isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) await make(parent);
  try {
    await mkdir(path);
  } catch (error) {
    // Another process may have been faster.
    if (!(await isFolder(path))) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
