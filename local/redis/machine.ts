import { fileURLToPath } from "node:url";

/** What the ways to a Redis need to know of the machine they look at. */
export interface Machine {
  /** As in the environment variable PATH. */
  readonly path: string;
  readonly root: boolean;
  /** Where redis-memory-server keeps its builds, one folder a version. */
  readonly buildsFolder: string;
  /** The file that tells Debian whether a package may start its service; see `apt`. */
  readonly servicePolicyFile: string;
}

/** Tells the person at the terminal one line. */
export type Say = (line: string) => void;

/**
 * One way to a Redis: gives the path of the binary, or undefined where it has nothing to offer on this machine.
 *
 * @throws Error with a one-line message when it should have worked and did not
 */
export type Way = (machine: Machine, say: Say) => Promise<string | undefined>;

export function thisMachine(): Machine {
  return {
    path: process.env.PATH ?? "",
    root: process.getuid?.() === 0,
    buildsFolder: fileURLToPath(
      new URL("../../node_modules/.cache/redis-memory-server/redis-binaries", import.meta.url),
    ),
    servicePolicyFile: "/usr/sbin/policy-rc.d",
  };
}
