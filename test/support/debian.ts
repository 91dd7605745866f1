import pRetry from "p-retry";
import { findExecutables, output } from "../../local/redis/executable.ts";
import type { Say } from "../../local/redis/machine.ts";

const APT_MS = 10 * 60_000;

/** What apt-get says when another one runs, such as that of the test file beside this one; `update` cannot be told to wait. */
const LOCKED = /\block\b/;

/** What installing needs to know of the machine. */
export interface DebianMachine {
  /** As in the environment variable PATH. */
  readonly path: string;
  readonly root: boolean;
}

export const thisDebian = (): DebianMachine => ({ path: process.env.PATH ?? "", root: process.getuid?.() === 0 });

/**
 * Installs a Debian package by apt, as root only.
 * @param missing what was not found, for the line that `say` gets before the slow step
 * @param help what a person can do instead
 * @returns whether it was done: false for one who is not root, and where there is no apt-get
 * @throws Error with `help` and what was tried, when apt failed
 */
export async function aptInstall(
  say: Say,
  machine: DebianMachine,
  { name, missing, help }: { readonly name: string; readonly missing: string; readonly help: string },
): Promise<boolean> {
  if (!machine.root || (await findExecutables("apt-get", machine.path)).length === 0) return false;
  const env = { ...process.env, PATH: machine.path, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  const options = { env, timeout: APT_MS, maxBuffer: Number.POSITIVE_INFINITY };
  const aptGet = (task: string, ...args: string[]) => output(`apt-get ${task}`, "apt-get", args, options);
  const install = ["install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", name];

  say(`No ${missing} found: installing ${name} with apt …`);
  try {
    await pRetry(() => aptGet("update", "update"), {
      retries: Number.POSITIVE_INFINITY,
      maxRetryTime: APT_MS,
      minTimeout: 500,
      maxTimeout: 2_000,
      shouldRetry: ({ error }) => LOCKED.test(error.message),
    });
    await aptGet(`install ${name}`, ...install);
  } catch (cause) {
    throw new Error(`${help}\nWhat was tried:\n  - ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  return true;
}
