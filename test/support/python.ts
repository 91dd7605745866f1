import type { Log as Say } from "../../local/redis/find-redis.ts";
import { findExecutables, isExecutable, output } from "../../local/redis/find-redis.ts";
import { aptInstall, type DebianMachine, type DebianPackage, notInstalled } from "./debian.ts";

/** Where Debian has its own, for which its packages are. */
const DEBIANS = "/usr/bin/python3";

const PYTHON: DebianPackage = {
  name: "python3-redis",
  missing: "Python with the package redis",
  help: `Do one of these and run the tests again:
  - install the package: apt-get install python3-redis, or python3 -m pip install redis
  - set ORDERS_TEST_PYTHON to the python3 of a virtual environment that has it
  - run the tests once as root where apt-get is: Debian's package python3-redis is then installed`,
};

/** What finding a Python needs to know of the machine. */
export interface PythonMachine extends DebianMachine {
  /** The program that the user names, as in ORDERS_TEST_PYTHON. */
  readonly named: string | undefined;
  /** Where Debian's own is, and after an installation the package for it. */
  readonly debians?: string;
}

/**
 * The path of a Python 3 that has the package redis: the one that is named, Debian's, one on PATH, or Debian's after its
 * package was installed, as root.
 * @param say gets one line before the slow step
 * @throws Error that lists what a person can do
 */
export async function pythonWithRedis(say: Say, machine: PythonMachine): Promise<string> {
  const { named, path, debians = DEBIANS } = machine;
  if (named) {
    if (await hasRedis(named)) return named;
    throw new Error(`ORDERS_TEST_PYTHON is ${named}, which is no Python with the package redis`);
  }
  for (const python of [debians, ...(await findExecutables("python3", path))]) {
    if (await hasRedis(python)) return python;
  }
  if ((await aptInstall(say, machine, PYTHON)) && (await hasRedis(debians))) return debians;
  throw new Error(notInstalled(PYTHON));
}

async function hasRedis(python: string): Promise<boolean> {
  if (!(await isExecutable(python))) return false;
  return output("import redis", python, ["-c", "import redis"], {}).then(
    () => true,
    () => false,
  );
}
