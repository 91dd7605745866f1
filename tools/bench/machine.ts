import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import type { Results } from "./results.ts";

/** When, on what and of what a run is. A commit with changes on top is marked so. */
export function describeRun(): Omit<Results, "form" | "rows"> {
  return {
    date: new Date().toISOString().slice(0, "yyyy-MM-dd".length),
    commit: commit(),
    node: process.version,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
  };
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync("git", args, {
      cwd: import.meta.dirname,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain") === "" ? "" : "+changes"}`;
  } catch {
    // An archive of the project has no history.
    return "unknown";
  }
}
