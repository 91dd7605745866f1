import { type Browser, chromium } from "playwright-core";
import type { Log as Say } from "../../local/redis/find-redis.ts";
import { findExecutables, isExecutable } from "../../local/redis/find-redis.ts";
import { aptInstall, type DebianMachine, type DebianPackage, notInstalled, thisDebian } from "./debian.ts";

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
export interface BrowserMachine extends DebianMachine {
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
