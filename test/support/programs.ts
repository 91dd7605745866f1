import pRetry from "p-retry";
import { type Browser, chromium } from "playwright-core";
import { findExecutables, isExecutable, output } from "../../local/redis/executable.ts";
import type { Say } from "../../local/redis/machine.ts";

/** Debian's and Google's names for it. */
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const CHROMIUM: DebianPackage = {
  name: "chromium",
  missing: "Chromium",
  help: `Do one of these and run the tests again:
  - install Chromium or Google Chrome, so that chromium or google-chrome is on PATH
  - set CHROMIUM_PATH to the program
  - run the tests once as root where apt-get is: Debian's package chromium is then installed`,
};

/** No sandbox, because root has none; and nothing that makes a browser call home or begin anything by itself. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What finding a browser needs to know of the machine. */
interface BrowserMachine extends DebianMachine {
  /** The program that the user names, as in CHROMIUM_PATH. */
  readonly named: string | undefined;
}

/**
 * A headless Chromium with a new profile, which goes with it.
 * @param flags besides those that every test needs
 */
export async function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  const executablePath = await chromiumBinary((line) => process.stderr.write(`${line}\n`), {
    ...thisDebian(),
    named: process.env.CHROMIUM_PATH,
  });
  return chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...flags] });
}

/**
 * The path of a Chromium: the one that is named, one on PATH, or Debian's, installed as root.
 * @param say gets one line before the slow step
 * @throws Error that ends in what a person can do
 */
export async function chromiumBinary(say: Say, machine: BrowserMachine): Promise<string> {
  if (machine.named) {
    if (await isExecutable(machine.named)) return machine.named;
    throw new Error(`CHROMIUM_PATH is ${machine.named}, which is no program that can be run`);
  }
  const found = (await onPath(machine)) ?? (await installed(say, machine));
  if (found === undefined) throw new Error(notInstalled(CHROMIUM));
  return found;
}

async function onPath({ path }: BrowserMachine): Promise<string | undefined> {
  return (await Promise.all(NAMES.map((name) => findExecutables(name, path)))).flat()[0];
}

async function installed(say: Say, machine: BrowserMachine): Promise<string | undefined> {
  return (await aptInstall(say, machine, CHROMIUM)) ? onPath(machine) : undefined;
}

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
interface PythonMachine extends DebianMachine {
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

const APT_MS = 10 * 60_000;

/** What apt-get says when another one runs, such as that of the test file beside this one; `update` cannot be told to wait. */
const LOCKED = /\block\b/;

/** What installing needs to know of the machine. */
interface DebianMachine {
  /** As in the environment variable PATH. */
  readonly path: string;
  readonly root: boolean;
}

/** A package, and what is said to who has nothing that it would bring. */
interface DebianPackage {
  readonly name: string;
  readonly missing: string;
  /** What a person can do instead. */
  readonly help: string;
}

export const thisDebian = (): DebianMachine => ({ path: process.env.PATH ?? "", root: process.getuid?.() === 0 });

/** The message for who has neither, with why an installation failed where one was tried. It ends in what to do. */
function notInstalled({ missing, help }: DebianPackage, failure?: string): string {
  return `No ${missing} was found, and none could be installed${failure ? ` (${failure})` : ""}. ${help}`;
}

/**
 * Installs a Debian package by apt, as root only.
 * @param say gets one line before the slow step
 * @returns whether it was done: false for one who is not root, and where there is no apt-get
 * @throws Error with what was tried and what to do, when apt failed
 */
async function aptInstall(say: Say, machine: DebianMachine, wanted: DebianPackage): Promise<boolean> {
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
