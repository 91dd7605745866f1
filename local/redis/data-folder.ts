import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { SOCKET, somebodyAnswers } from "./data-folder-socket.ts";

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
  if (await somebodyAnswers(join(path, SOCKET))) {
    throw new Error(`A service that runs keeps its data in ${path}: stop it, or set ORDERS_DATA_DIR to another folder`);
  }
  return { path, kept: true, close: async () => undefined, closeNow: () => undefined };
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
