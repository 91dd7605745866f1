import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Where one Redis works: a folder of the user's that stays, or a temporary one that goes. */
export interface DataFolder {
  readonly path: string;
  readonly kept: boolean;
  close(): Promise<void>;
  /** For a process that is exiting and cannot wait any more. */
  closeNow(): void;
}

/** @throws Error when the folder cannot be made. */
export async function openDataFolder(dataDir?: string): Promise<DataFolder> {
  if (dataDir === undefined) return temporaryFolder();
  const path = resolve(dataDir);
  await mkdir(path, { recursive: true });
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
