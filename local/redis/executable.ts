import { type ExecFileOptions, execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Every executable of that name on a PATH, first come first. */
export async function findExecutables(name: string, path: string): Promise<string[]> {
  const candidates = path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name));
  const executable = await Promise.all(candidates.map(isExecutable));
  return candidates.filter((_, index) => executable[index]);
}

export async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * Runs a command to its end and gives its standard output.
 *
 * @throws Error with `task` and the last line the command wrote to standard error; the full text is in its `cause`
 */
export async function output(task: string, file: string, args: string[], options: ExecFileOptions): Promise<string> {
  try {
    const { stdout } = await run(file, args, { ...options, encoding: "utf8" });
    return stdout;
  } catch (cause) {
    throw new Error(`${task}: ${lastLine(cause)}`, { cause });
  }
}

function lastLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const written = "stderr" in error && typeof error.stderr === "string" ? error.stderr.trim() : "";
  return (written === "" ? error.message : written).split("\n").at(-1) ?? "";
}
