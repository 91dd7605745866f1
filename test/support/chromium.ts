import { type Browser, chromium } from "playwright-core";
import { findExecutables, isExecutable, output } from "../../local/redis/executable.ts";
import type { Say } from "../../local/redis/machine.ts";

/** Debian's and Google's names for it. */
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const APT_MS = 10 * 60_000;

const HELP = `No Chromium was found, and none could be installed. Do one of these and run the tests again:
  - install Chromium or Google Chrome, so that chromium or google-chrome is on PATH
  - set CHROMIUM_PATH to the program
  - run the tests once as root where apt-get is: Debian's package chromium is then installed`;

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
export interface BrowserMachine {
  /** As in the environment variable PATH. */
  readonly path: string;
  readonly root: boolean;
  /** The program that the user names, as in CHROMIUM_PATH. */
  readonly named: string | undefined;
}

/**
 * A headless Chromium with a new profile, which goes with it.
 * @param flags besides those that every test needs
 */
export async function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  const executablePath = await chromiumBinary((line) => process.stderr.write(`${line}\n`), {
    path: process.env.PATH ?? "",
    root: process.getuid?.() === 0,
    named: process.env.CHROMIUM_PATH,
  });
  return chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...flags] });
}

/**
 * The path of a Chromium: the one that is named, one on PATH, or Debian's, installed as root.
 * @param say gets one line before the slow step
 * @throws Error that lists what a person can do
 */
export async function chromiumBinary(say: Say, machine: BrowserMachine): Promise<string> {
  if (machine.named) {
    if (await isExecutable(machine.named)) return machine.named;
    throw new Error(`CHROMIUM_PATH is ${machine.named}, which is no program that can be run`);
  }
  const found = (await onPath(machine)) ?? (await installed(say, machine));
  if (found === undefined) throw new Error(HELP);
  return found;
}

async function onPath({ path }: BrowserMachine): Promise<string | undefined> {
  return (await Promise.all(NAMES.map((name) => findExecutables(name, path)))).flat()[0];
}

async function installed(say: Say, machine: BrowserMachine): Promise<string | undefined> {
  if (!machine.root || (await findExecutables("apt-get", machine.path)).length === 0) return undefined;
  const env = { ...process.env, PATH: machine.path, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  const options = { env, timeout: APT_MS, maxBuffer: Number.POSITIVE_INFINITY };
  const aptGet = ["-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"];
  say("No Chromium found: installing chromium with apt …");
  try {
    await output("apt-get update", "apt-get", ["update"], options);
    await output("apt-get install chromium", "apt-get", ["install", ...aptGet, "chromium"], options);
  } catch (cause) {
    throw new Error(`${HELP}\nWhat was tried:\n  - ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  return onPath(machine);
}
