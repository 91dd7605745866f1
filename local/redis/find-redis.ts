import { type ExecFileOptions, execFile } from "node:child_process";
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism, homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeWritableFolder, removeAtExit } from "../folders.ts";

/** The scripts use commands of Redis 7.0. The first Valkey is 7.2. */
const MIN_MAJOR_VERSION = 7;
const MAX_VERSION_MS = 10_000;

const PACKAGES = ["redis-server", "redis-tools"];
const MAX_APT_MS = 10 * 60_000;

/** As root, apt would switch to a user that cannot write to this folder. For other users this changes nothing. */
const KEEP_USER = ["-o", "APT::Sandbox::User=root"];

/** The last release series under the BSD licence, with security fixes. Building it takes only make and a C compiler. */
const SOURCE_VERSION = "7.2.12";
const MAX_BUILD_MS = 20 * 60_000;
const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

/** Its last line of output is the binary or the reason, so no stack trace. */
const BUILD_SCRIPT = `
import { RedisBinary } from "redis-memory-server";
const [version, downloadDir] = process.argv.slice(1);
try {
  console.log("\\n" + (await RedisBinary.getPath({ version, downloadDir })));
} catch (error) {
  console.error("\\n" + (error?.message ?? error));
  process.exitCode = 1;
}`;

const HELP = `Do one of these and start again:
  - Install redis-server or valkey-server 7.0 or newer, so that it is on PATH
  - Set REDIS_URL to a running Redis
  - Set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN to use an Upstash database
  - Install make and a C compiler, with network access to download.redis.io, to build Redis from source`;

const CACHE_REMEDY = "Set XDG_CACHE_HOME to a folder of yours.";

/** Shows one line to the person at the terminal. */
export type Log = (line: string) => void;

export interface Machine {
  /** As in the environment variable PATH. */
  readonly path: string;
  /** Where a downloaded Redis goes, one folder for each. */
  readonly cacheFolder: string;
}

/**
 * Gives the path of a Redis, or undefined where this locator does not apply.
 *
 * @throws Error with a one-line message when it applies and fails
 */
type Locator = (machine: Machine, log: Log) => Promise<string | undefined>;

/** Runs a command of apt or dpkg to its end and gives its standard output. */
type Run = (file: string, ...args: string[]) => Promise<string>;

/** First an existing Redis, then the fast download, then the slow build. */
const LOCATORS: readonly Locator[] = [onPath, inCache, debianPackages, sourceBuild];

/**
 * The path of a redis-server or valkey-server 7.0 or newer. One that is missing is downloaded or built in a cache folder;
 * nothing is installed.
 *
 * @param log gets one line before every slow step and one for every server that cannot be used
 * @throws AggregateError when every locator fails: its message ends with the fix, its `errors` say what was tried
 */
export async function findRedis(log: Log, machine: Machine = thisMachine()): Promise<string> {
  const failures: Error[] = [];
  for (const locate of LOCATORS) {
    try {
      const binary = await locate(machine, log);
      if (binary !== undefined) return binary;
    } catch (error) {
      failures.push(error instanceof Error ? error : new Error(String(error)));
    }
  }
  const tried = [...new Set(failures.map((failure) => `  - ${failure.message}`))].join("\n");
  throw new AggregateError(
    failures,
    `No Redis 7.0 or newer was found, and none could be downloaded:\n${tried}\n${HELP}`,
  );
}

/** The cache folder is that of https://specifications.freedesktop.org/basedir-spec/latest/ */
function thisMachine(): Machine {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return { path: process.env.PATH ?? "", cacheFolder: join(cache, "order-service", "redis") };
}

async function onPath(machine: Machine, log: Log): Promise<string | undefined> {
  const servers = ["redis-server", "valkey-server"].map((name) => findExecutables(name, machine.path));
  return firstUsable((await Promise.all(servers)).flat(), log);
}

/** The Redis that an earlier run unpacked or built. */
async function inCache({ cacheFolder }: Machine, log: Log): Promise<string | undefined> {
  const names = await readdir(cacheFolder).catch(() => []);
  return firstUsable(
    names.map((name) => join(cacheFolder, name, "redis-server")),
    log,
  );
}

/**
 * Downloads the packages of Debian or Ubuntu, with the libraries that this machine lacks, and unpacks them in the cache
 * folder. It changes nothing else on the machine, and needs no root. Package lists that are missing or out of date are
 * fetched into a folder of its own (apt.conf(5), "Directories").
 *
 * Each download has a new folder. One that cannot be used here may be in use in another container.
 */
export async function debianPackages({ path, cacheFolder }: Machine, log: Log): Promise<string | undefined> {
  const tools = await Promise.all(["apt-get", "apt-cache", "dpkg"].map((tool) => findExecutables(tool, path)));
  if (tools.some((found) => found.length === 0)) return undefined;
  await makeWritableFolder(cacheFolder, CACHE_REMEDY);
  const folder = await mkdtemp(join(cacheFolder, "debian-"));
  const keep = removeAtExit(folder);
  log(`No Redis found. Downloading the package redis-server to ${folder}; nothing is installed …`);

  const work = join(folder, "work");
  const [lists, archives] = [join(work, "lists"), join(work, "archives")];
  const ownLists = ["-o", `Dir::State=${lists}`, "-o", `Dir::Cache=${lists}`];
  const run: Run = (file, ...args) =>
    output(`${file} ${args[0]}`, file, args, {
      env: { ...process.env, PATH: path, LC_ALL: "C" },
      cwd: archives,
      timeout: MAX_APT_MS,
      maxBuffer: Number.POSITIVE_INFINITY,
    });
  try {
    for (const made of [join(lists, "lists/partial"), join(lists, "archives/partial"), archives]) {
      await mkdir(made, { recursive: true });
    }
    await download(run, KEEP_USER).catch(async () => {
      await run("apt-get", "update", ...KEEP_USER, ...ownLists);
      await download(run, [...KEEP_USER, ...ownLists]);
    });
    for (const archive of await readdir(archives)) await run("dpkg", "-x", archive, folder);
    await rm(work, { recursive: true });
    return await writeWrapper(folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  } finally {
    keep();
  }
}

/** Downloads the packages into the working folder, with those that apt would install along with them. */
async function download(run: Run, options: readonly string[]): Promise<void> {
  assertInstallable(await run("apt-cache", "policy", ...options, "redis-server"));
  const plan = await run("apt-get", "install", "--simulate", "--no-install-recommends", ...options, ...PACKAGES);
  const missing = [...plan.matchAll(/^Inst (\S+)/gm)].flatMap(([, name]) => name ?? []);
  await run("apt-get", "download", ...options, ...new Set([...PACKAGES, ...missing]));
}

function assertInstallable(policy: string): void {
  const candidate = /^ *Candidate: *(\S+)/m.exec(policy)?.[1] ?? "(none)";
  if (candidate === "(none)") throw new Error("apt-cache policy: there is no package redis-server");
  if (!isNewEnough(candidate)) throw new Error(`apt-cache policy: the package redis-server is version ${candidate}`);
}

/**
 * Writes a script that starts the unpacked server with its libraries. Its paths are relative to it, so that the folder can be
 * moved.
 * @throws Error when the server does not run
 */
async function writeWrapper(root: string): Promise<string> {
  const folders = await Promise.all(["usr/lib", "lib"].map((parent) => libraryFolders(root, parent)));
  const libraryPath = folders.flat().map((folder) => `$here/${folder}`);
  const script = `#!/bin/sh
here=\${0%/*}
export LD_LIBRARY_PATH="${libraryPath.join(":")}"
exec "$here/usr/bin/redis-server" "$@"
`;
  const unchecked = join(root, "redis-server.new");
  await writeFile(unchecked, script, { mode: 0o755 });
  const problem = await versionProblem(unchecked);
  if (problem !== undefined) throw new Error(`the package redis-server: ${problem}`);
  // In one step: `inCache` sees no server that is incomplete.
  const binary = join(root, "redis-server");
  await rename(unchecked, binary);
  return binary;
}

/** Such as `usr/lib/x86_64-linux-gnu`. */
async function libraryFolders(root: string, parent: string): Promise<string[]> {
  const names = await readdir(join(root, parent)).catch(() => []);
  return names.filter((name) => name.includes("-linux-")).map((name) => join(parent, name));
}

/**
 * Lets redis-memory-server download Redis and build it in the cache folder.
 *
 * In a process of its own: the package reads its settings from the environment, prints to the console, and keeps its
 * lock until its process ends when a download fails.
 */
export async function sourceBuild({ path, cacheFolder }: Machine, log: Log): Promise<string> {
  for (const tool of ["make", "cc"]) {
    if ((await findExecutables(tool, path)).length === 0) throw new Error(`source build: ${tool} is not on PATH`);
  }
  log(`No Redis found. Building Redis ${SOURCE_VERSION} in ${cacheFolder}, which takes some minutes …`);
  await makeWritableFolder(cacheFolder, CACHE_REMEDY);
  const script = ["--input-type=module", "--eval", BUILD_SCRIPT, SOURCE_VERSION, cacheFolder];
  const stdout = await output("source build", process.execPath, script, {
    cwd: PROJECT,
    env: {
      ...process.env,
      PATH: path,
      MAKEFLAGS: process.env.MAKEFLAGS ?? `-j${availableParallelism()}`,
      // Without it the package accepts any TLS certificate for the source that it compiles and runs.
      npm_config_strict_ssl: process.env.npm_config_strict_ssl ?? "true",
    },
    timeout: MAX_BUILD_MS,
  });
  const binary = stdout.trim().split("\n").at(-1);
  if (!binary) throw new Error("source build: redis-memory-server named no binary");
  return binary;
}

/** The first of these servers that runs and is new enough. */
async function firstUsable(binaries: readonly string[], log: Log): Promise<string | undefined> {
  for (const binary of binaries) {
    if (!(await isExecutable(binary))) continue;
    const problem = await versionProblem(binary);
    if (problem === undefined) return binary;
    log(`Skipping ${binary}: ${problem}`);
  }
  return undefined;
}

async function versionProblem(binary: string): Promise<string | undefined> {
  try {
    const text = await output("it does not run", binary, ["--version"], { timeout: MAX_VERSION_MS });
    const version = /\bv=(\d+\.\d+\.\d+)/.exec(text)?.[1];
    if (version === undefined) return "it reports no version";
    return isNewEnough(version) ? undefined : `version ${version} is older than ${MIN_MAJOR_VERSION}.0`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Whether a version such as `7.0.15`, or Debian's `5:7.0.15-1~deb12u6`, has every command that the scripts use. */
export function isNewEnough(version: string): boolean {
  return Number(/^(?:\d+:)?(\d+)\./.exec(version)?.[1]) >= MIN_MAJOR_VERSION;
}

/** Every executable of that name on a PATH, in the order of PATH. */
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
 * @throws Error with `task` and the last line that the command wrote to standard error; the full text is in its `cause`
 */
export async function output(
  task: string,
  file: string,
  args: readonly string[],
  options: ExecFileOptions,
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(file, args, { ...options, encoding: "utf8" });
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
