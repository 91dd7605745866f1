import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

/** A folder that goes when it is disposed of, or with this process when it exits before. */
export async function temporaryFolder(prefix: string): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  const removeNow = () => rmSync(path, { recursive: true, force: true });
  process.on("exit", removeNow);
  return {
    path,
    async [Symbol.asyncDispose]() {
      process.off("exit", removeNow);
      await rm(path, { recursive: true, force: true });
    },
  };
}
