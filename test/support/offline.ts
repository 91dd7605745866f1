import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, join } from "node:path";
import { Settings } from "../../local/settings.ts";
import { freePorts } from "./servers.ts";

const PROJECT = join(import.meta.dirname, "../..");
const BINARIES = join(PROJECT, "node_modules/.bin");

/** The first line of the service's banner: everything runs. */
const READY = "Order service ready:";

/** The first build on a busy machine, and Redis found or built before. */
const READY_TIMEOUT_MS = 110_000;
const STOP_TIMEOUT_MS = 30_000;

/** The variables that set a port of the local stack. */
export const PORTS = Object.keys(Settings.shape).filter((name) => name.endsWith("_PORT"));

/** What would lead to a database or an account of the user's own. An empty variable counts as not set. */
const NOT_INHERITED = {
  REDIS_URL: "",
  UPSTASH_REDIS_REST_URL: "",
  UPSTASH_REDIS_REST_TOKEN: "",
  ORDERS_DATA_DIR: "",
  INVENTORY_URL: "",
  AWS_REGION: "",
};

export interface Ended {
  /** The exit code, or `null` when a signal ended it. */
  readonly code: number | null;
  /** Everything it wrote on standard output and standard error. */
  readonly output: string;
}

export interface Offline {
  /** Where the API answers, without a slash at the end. */
  readonly api: string;
  /** The whole environment it runs with: for programs that are to find it. */
  readonly env: NodeJS.ProcessEnv;
  /** Everything it wrote so far on standard output and standard error. */
  output(): string;
  /** Ends it as Ctrl-C does and waits for its exit. The second call gives the same answer. */
  stop(): Promise<Ended>;
}

/**
 * Runs `npm start` on free ports with a fresh database.
 * @param extra variables over those of this process; an empty one counts as not set
 * @param options of the command line, after `npm start --`
 * @param folder the project's, or a copy of it
 * @returns once everything runs
 * @throws Error with its whole output when it ends or takes too long before that
 */
export async function startOffline(
  extra: NodeJS.ProcessEnv = {},
  options: readonly string[] = [],
  folder = PROJECT,
): Promise<Offline> {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...NOT_INHERITED,
    ...(await freePorts(...PORTS)),
    ...extra,
    PATH: `${BINARIES}${delimiter}${process.env.PATH ?? ""}`,
  };
  // A process group of its own, as in a terminal: Ctrl-C reaches every process in the group.
  const child = spawn("npm", ["start", "--", ...options], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  const exited = once(child, "close").then(
    ([code]): Ended => ({ code: typeof code === "number" ? code : null, output }),
  );
  const ready = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (output.includes(READY)) resolve();
      });
    }
  });

  let stopping: Promise<Ended> | undefined;
  function stop(): Promise<Ended> {
    stopping ??= end();
    return stopping;
  }

  async function end(): Promise<Ended> {
    signalGroup(child, "SIGINT");
    const ended = await within(STOP_TIMEOUT_MS, exited);
    if (ended) return ended;
    signalGroup(child, "SIGKILL");
    throw new Error(`The service did not end on SIGINT:\n${output}`);
  }

  const first = await within(READY_TIMEOUT_MS, Promise.race([ready.then(() => "ready" as const), exited]));
  if (first !== "ready") {
    if (first === undefined) await stop();
    throw new Error(`The service did not start:\n${output}`);
  }
  return { api: `http://localhost:${env.ORDERS_API_PORT}`, env, output: () => output, stop };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, signal);
}

async function within<Result>(timeoutMs: number, result: Promise<Result>): Promise<Result | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, timeoutMs, undefined);
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}
