import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { SOCKET, somebodyAnswers } from "./data-folder-socket.ts";

/** After Ctrl-C a Redis writes its file out before it ends, and the next service may be started at once. */
const PATIENCE_MS = 3_000;
const POLL_MS = 50;

/** Where one Redis works: a folder of the user's that stays, or a temporary one that goes. */
export interface DataFolder {
  readonly path: string;
  readonly kept: boolean;
  close(): Promise<void>;
  /** For a process that is exiting and cannot wait any more. */
  closeNow(): void;
}

/** @throws Error in one line when the folder cannot be made, or when a Redis works there already. */
export async function openDataFolder(dataDir?: string): Promise<DataFolder> {
  if (dataDir === undefined) return temporaryFolder();
  const path = resolve(dataDir);
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`The data folder ${path} cannot be made (${reason}): set ORDERS_DATA_DIR to another`, { cause });
  }
  if (await somebodyStays(join(path, SOCKET))) {
    throw new Error(`A service that runs keeps its data in ${path}: stop it, or set ORDERS_DATA_DIR to another folder`);
  }
  return { path, kept: true, close: async () => undefined, closeNow: () => undefined };
}

async function somebodyStays(socket: string): Promise<boolean> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (await somebodyAnswers(socket)) {
    if (performance.now() > deadlineMs) return true;
    await wait(POLL_MS);
  }
  return false;
}

async function temporaryFolder(): Promise<DataFolder> {
  const path = await mkdtemp(join(tmpdir(), "orders-redis-"));
  return {
    path,
    kept: false,
    close: () => rm(path, { recursive: true, force: true }),
    closeNow: () => rmSync(path, { recursive: true, force: true }),
  };
}
