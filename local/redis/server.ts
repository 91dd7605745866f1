import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { redisBinary } from "./binary.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { tieToParent } from "./lifeline.ts";
import { Output } from "./output.ts";
import { PortTaken, portsToTry } from "./port.ts";
import { untilReady } from "./ready.ts";
import { redisArguments, shellLine } from "./redis-arguments.ts";

/** Long enough to write out an append-only file on a slow disk; after it the process is killed. */
const STOP_MS = 10_000;

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** The shell line that starts it again by hand, on the same port and in the same folder. */
  readonly command: string;
  /** Settles when the process is gone, whoever ended it; never rejects. */
  readonly exited: Promise<void>;
  /** Ends the process and removes its temporary folder. Safe to call more than once. */
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  /** A free one by default. */
  readonly port?: number;
  /** Keeps the data there in an append-only file. By default nothing is kept: a temporary folder, removed by `stop`. */
  readonly dataDir?: string;
  /** Path of a redis-server or valkey-server; found or installed by default. */
  readonly binary?: string;
}

/**
 * Starts a private Redis on 127.0.0.1 and waits until it answers.
 *
 * It lives as long as `stop` is not called and this process runs: see `tieToParent`.
 *
 * @throws Error with the server's last output when it exits early, when the port is taken, or when it does not answer
 * within a minute.
 */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const binary = options.binary ?? (await redisBinary((line) => process.stderr.write(`${line}\n`)));
  const folder = await openDataFolder(options.dataDir);
  try {
    return await startOnFirstFreePort(binary, folder, options.port);
  } catch (error) {
    await folder.close();
    throw error;
  }
}

async function startOnFirstFreePort(binary: string, folder: DataFolder, wanted?: number): Promise<RedisServer> {
  let lastRefusal: PortTaken | undefined;
  for await (const port of portsToTry(wanted)) {
    try {
      return await startOn(port, binary, folder);
    } catch (error) {
      if (!(error instanceof PortTaken)) throw error;
      lastRefusal = error;
    }
  }
  throw lastRefusal ?? new Error("Redis was given no port to try");
}

async function startOn(port: number, binary: string, folder: DataFolder): Promise<RedisServer> {
  const args = redisArguments(port, folder);
  // Its own process group: Ctrl-C in the terminal reaches us alone, so that Redis outlives the requests in flight.
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  const output = new Output(child);
  const exited = untilExit(child);
  const pid = await pidOf(child, binary);
  const lifeline = tieToParent(child, folder);
  const url = `redis://127.0.0.1:${port}`;

  try {
    await untilReady({ child, exited, output, port, url });
  } catch (error) {
    await end(child, exited);
    await lifeline.cut();
    throw error;
  }

  let stopping: Promise<void> | undefined;
  async function stop(): Promise<void> {
    await end(child, exited);
    await folder.close();
    await lifeline.cut();
  }
  return { url, port, pid, command: shellLine(binary, args), exited, stop: () => (stopping ??= stop()) };
}

async function pidOf(child: ChildProcess, binary: string): Promise<number> {
  if (child.pid !== undefined) return child.pid;
  const [cause] = await once(child, "error");
  throw new Error(`Redis could not be started: ${binary} cannot be run`, { cause });
}

function untilExit(child: ChildProcess): Promise<void> {
  // "exit" comes before the last output has been read, and that output says why a server did not start.
  return new Promise((resolve) => child.once("close", () => resolve()));
}

async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill("SIGTERM");
  const deadline = new AbortController();
  const late = wait(STOP_MS, undefined, { signal: deadline.signal }).then(
    () => child.kill("SIGKILL"),
    () => undefined,
  );
  await exited;
  deadline.abort();
  await late;
}
