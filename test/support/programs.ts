import { execFileSync } from "node:child_process";

/** A program that some tests need, besides npm's packages. */
interface Program {
  /** The environment variable that names it. */
  readonly variable: string;
  /** Its names on PATH. */
  readonly names: readonly string[];
  /** Exits with 0 when the program can be used. */
  readonly check: readonly string[];
  /** Debian's package. */
  readonly debianPackage: string;
}

export const CHROMIUM: Program = {
  variable: "CHROMIUM_PATH",
  names: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
  check: ["--version"],
  debianPackage: "chromium",
};

/** For the commands of the README. */
export const CURL: Program = { variable: "CURL_PATH", names: ["curl"], check: ["--version"], debianPackage: "curl" };

/** A Python with the package redis. Debian's own is the one for which Debian has packages. */
export const PYTHON: Program = {
  variable: "ORDERS_TEST_PYTHON",
  names: ["/usr/bin/python3", "python3"],
  check: ["-c", "import redis"],
  debianPackage: "python3-redis",
};

/** Set to `false`, nothing is installed for the tests: those that need what is missing are skipped, in CI too. */
const INSTALL_SWITCH = "ORDERS_TEST_INSTALL";

/**
 * Finds a program: the one that its variable names, one on PATH, or Debian's, which it installs when the user is root.
 * Without it the tests that need it are skipped, except in CI.
 * @returns its path, or `undefined`
 * @throws Error that says what to do, in CI and when the variable is wrong
 */
export function findProgram(program: Program): string | undefined {
  const { variable, names, debianPackage } = program;
  const named = process.env[variable];
  if (named) {
    if (works(named, program)) return named;
    throw new Error(`${variable} is ${named}, which does not work. Fix or unset it.`);
  }
  const find = () => names.flatMap(onPath).find((path) => works(path, program));
  const found = find();
  if (found !== undefined) return found;
  const mayInstall = process.env[INSTALL_SWITCH] !== "false";
  if (mayInstall && process.getuid?.() === 0 && onPath("apt-get").length > 0) {
    process.stderr.write(`Installing ${debianPackage} with apt, for the tests (not with ${INSTALL_SWITCH}=false) …\n`);
    install(debianPackage);
  }
  const installed = find();
  if (installed === undefined) {
    const line = `${debianPackage} is missing. Install it, or set ${variable}.`;
    if (process.env.CI && mayInstall) throw new Error(line);
    process.stderr.write(`${line} The tests that need it are skipped.\n`);
  }
  return installed;
}

function onPath(name: string): string[] {
  try {
    return [execFileSync("sh", ["-c", 'command -v "$0"', name], { encoding: "utf8" }).trim()];
  } catch {
    return [];
  }
}

function works(path: string, { check }: Program): boolean {
  try {
    execFileSync(path, check, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function install(debianPackage: string): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["update"], ["install", "-y", "--no-install-recommends", debianPackage]]) {
    execFileSync("apt-get", ["-q", "-o", "DPkg::Lock::Timeout=300", ...args], {
      stdio: ["ignore", "ignore", "inherit"],
      env,
    });
  }
}
