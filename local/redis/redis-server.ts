import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { createClient } from "@redis/client";
import { reservePort } from "../ports.ts";
import { type DataFolder, openDataFolder, SOCKET } from "./data-folder.ts";
import { findRedis } from "./find-redis.ts";
import { startWatchdog } from "./watchdog.ts";

/** Redis is up within milliseconds, but a busy machine or a large append-only file takes longer. */
const MAX_START_MS = 60_000;
const POLL_MS = 20;

/** Long enough to write out an append-only file on a slow disk; then the process is killed. */
const MAX_STOP_MS = 10_000;

/** Another process may take a free port before Redis does. Then another port is tried. */
const FREE_PORTS_TRIED = 5;

const KEPT_OUTPUT_CHARACTERS = 4_000;
const SHOWN_OUTPUT_LINES = 10;

const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/** Redis 7.2 and newer do not start with a locale that the machine lacks, such as one that ssh brought along. */
const LOCALE = { LC_ALL: "C" };

/** As at Upstash: one database and no MIGRATE, so that no script can reach other databases or servers. */
const ONE_DATABASE = ["--databases", "1", "--rename-command", "MIGRATE", ""];

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** The shell command that starts it again on the same port and in the same folder. */
  readonly command: string;
  /** Settles when the process has exited for any reason; never rejects. */
  readonly exited: Promise<void>;
  /** Ends the process and removes its temporary folder. Safe to call more than once. */
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  /** A free one by default. */
  readonly port?: number;
  /** Keeps the data there in an append-only file. By default nothing is kept: a temporary folder, removed by `stop`. */
  readonly dataDir?: string;
  /** Path of a redis-server or valkey-server; found or downloaded by default. */
  readonly binary?: string;
}

class PortTaken extends Error {
  override readonly name = "PortTaken";
}

/**
 * Starts a private Redis on 127.0.0.1 and waits until it answers. It stops when this process ends for any reason.
 *
 * `RedisMemoryServer` of redis-memory-server, which only builds Redis here, cannot replace this: it silently uses another port
 * when the requested one is taken, polls its parent from a second Node process, may signal a process id that belongs to
 * another program by then, reports no exit, and does not guard a data folder.
 *
 * @throws Error with the server's last output when it exits early, when the port is taken, or when it does not answer
 * within a minute.
 */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const binary = options.binary ?? (await findRedis((line) => process.stderr.write(`${line}\n`)));
  const folder = await openDataFolder(options.dataDir);
  try {
    return await startOnFirstFreePort(binary, folder, options.port);
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

async function startOnFirstFreePort(binary: string, folder: DataFolder, wanted?: number): Promise<RedisServer> {
  const tries = wanted === undefined ? FREE_PORTS_TRIED : 1;
  for (let tried = 1; ; tried += 1) {
    try {
      return await startOn(wanted ?? (await reservePort()), binary, folder);
    } catch (error) {
      if (!(error instanceof PortTaken) || tried === tries) throw error;
    }
  }
}

async function startOn(port: number, binary: string, folder: DataFolder): Promise<RedisServer> {
  const args = redisArguments(port, folder);
  // In its own process group, so that Ctrl-C reaches only this process, which first stops the users of Redis.
  const child = spawn(binary, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...LOCALE },
    detached: true,
  });
  const lastOutput = collectOutput(child);
  // Not "exit", which comes before the last output, and that output says why a server did not start.
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const pid = await pidOf(child, binary);
  const watchdog = startWatchdog(child, folder);

  try {
    await waitUntilReady(port, child, exited, lastOutput);
  } catch (error) {
    await end(child, exited);
    await watchdog.stop();
    throw error;
  }

  let stopping: Promise<void> | undefined;
  async function stop(): Promise<void> {
    await end(child, exited);
    await folder.remove();
    await watchdog.stop();
  }
  return { url: urlOf(port), port, pid, command: shellLine(binary, args), exited, stop: () => (stopping ??= stop()) };
}

function urlOf(port: number): string {
  return `redis://127.0.0.1:${port}`;
}

/**
 * Snapshots are off in both forms: a kept database is its append-only file, flushed to disk once a second
 * (https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/). The socket's path counts from `--dir`.
 */
function redisArguments(port: number, folder: DataFolder): string[] {
  const common = ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder.path, "--save", "", ...ONE_DATABASE];
  return folder.kept
    ? [...common, "--appendonly", "yes", "--appendfsync", "everysec", "--unixsocket", SOCKET, "--unixsocketperm", "700"]
    : [...common, "--appendonly", "no"];
}

/** A line to paste into a POSIX shell. */
function shellLine(binary: string, args: readonly string[]): string {
  const environment = Object.entries(LOCALE).map(([name, value]) => `${name}=${value}`);
  return ["env", ...environment, binary, ...args]
    .map((word) => (PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}

/** Also drains the pipes, which would otherwise fill up and stall the process. */
function collectOutput(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text = (text + chunk).slice(-KEPT_OUTPUT_CHARACTERS);
    });
  }
  return () => text.trim().split("\n").slice(-SHOWN_OUTPUT_LINES).join("\n");
}

async function pidOf(child: ChildProcess, binary: string): Promise<number> {
  if (child.pid !== undefined) return child.pid;
  const [cause] = await once(child, "error");
  throw new Error(`Cannot start Redis: ${binary} cannot be run`, { cause });
}

/** @throws PortTaken when another process has the port; Error with the last output when Redis exits or stays silent. */
async function waitUntilReady(port: number, child: ChildProcess, exited: Promise<void>, lastOutput: () => string) {
  const gone = new AbortController();
  void exited.then(() => gone.abort());
  const over = AbortSignal.any([gone.signal, AbortSignal.timeout(MAX_START_MS)]);
  let cause: unknown;
  while (!over.aborted) {
    try {
      if ((await answeringPid(urlOf(port), over)) === child.pid) return;
    } catch (error) {
      cause = error;
    }
    await Promise.race([exited, wait(POLL_MS)]);
  }
  const output = lastOutput();
  if (/address already in use/i.test(output)) throw new PortTaken(`Redis cannot listen on port ${port}: it is in use`);
  const problem = gone.signal.aborted ? "exited before it answered" : `did not answer within ${MAX_START_MS / 1000} s`;
  throw new Error(`Redis ${problem} on port ${port}. Its last output:\n${output}`, { cause });
}

/** The process id of the Redis that answers, because another Redis on the port would answer PING too. */
async function answeringPid(url: string, over: AbortSignal): Promise<number> {
  const client = createClient({ url, socket: { reconnectStrategy: false } });
  // Without a listener node-redis throws its errors at the process; connect() rejects with the same error.
  client.on("error", () => undefined);
  // Another program on the port may accept the connection and never answer.
  const hangUp = () => client.isOpen && client.destroy();
  over.addEventListener("abort", hangUp);
  try {
    await client.connect();
    await client.ping();
    return Number(/^process_id:(\d+)/m.exec(await client.info("server"))?.[1]);
  } finally {
    over.removeEventListener("abort", hangUp);
    hangUp();
  }
}

async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill("SIGTERM");
  const deadline = setTimeout(() => child.kill("SIGKILL"), MAX_STOP_MS);
  await exited;
  clearTimeout(deadline);
}
