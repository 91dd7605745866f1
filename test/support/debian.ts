import pRetry from "p-retry";
import type { Log as Say } from "../../local/redis/find-redis.ts";
import { findExecutables, output } from "../../local/redis/find-redis.ts";

const APT_MS = 10 * 60_000;

/** What apt-get says when another one runs, such as that of the test file beside this one; `update` cannot be told to wait. */
const LOCKED = /\block\b/;

/** What installing needs to know of the machine. */
export interface DebianMachine {
  /** As in the environment variable PATH. */
  readonly path: string;
  readonly root: boolean;
}

/** A package, and what is said to who has nothing that it would bring. */
export interface DebianPackage {
  readonly name: string;
  readonly missing: string;
  /** What a person can do instead. */
  readonly help: string;
}

export const thisDebian = (): DebianMachine => ({ path: process.env.PATH ?? "", root: process.getuid?.() === 0 });

/** The message for who has neither, with why an installation failed where one was tried. It ends in what to do. */
export function notInstalled({ missing, help }: DebianPackage, failure?: string): string {
  return `No ${missing} was found, and none could be installed${failure ? ` (${failure})` : ""}. ${help}`;
}

/**
 * Installs a Debian package by apt, as root only.
 * @param say gets one line before the slow step
 * @returns whether it was done: false for one who is not root, and where there is no apt-get
 * @throws Error with what was tried and what to do, when apt failed
 */
export async function aptInstall(say: Say, machine: DebianMachine, wanted: DebianPackage): Promise<boolean> {
  const { name, missing } = wanted;
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
    throw new Error(notInstalled(wanted, cause instanceof Error ? cause.message : String(cause)), { cause });
  }
  return true;
}
