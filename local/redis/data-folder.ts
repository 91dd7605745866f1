import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { reasonOf } from "../error-reason.ts";
import { makeWritableFolder } from "../folders.ts";

/**
 * The Unix socket on which the Redis of a kept folder listens. No client uses it: it shows that a Redis uses the folder. Two
 * of them would corrupt one append-only file, and Redis itself locks nothing. A file with a process id is not enough: after
 * a crash, and usually in a container, that id belongs to another program. A socket answers as long as its Redis lives, and
 * Redis replaces a socket that a crash left behind.
 */
export const SOCKET = "redis.sock";

/** The longest address of a socket on macOS, without its last byte; Linux has 4 more (`sun_path` in unix(4), unix(7)). */
const MAX_SOCKET_PATH_BYTES = 103;

/** After Ctrl-C Redis writes its file before it ends, and someone may start the next service immediately. */
const MAX_WAIT_MS = 3_000;
const POLL_MS = 50;

/** The folder of one Redis: the user's, which is kept, or a temporary one, which is removed. */
export interface DataFolder {
  readonly path: string;
  readonly kept: boolean;
  /** Removes a temporary folder. */
  remove(): Promise<void>;
  /** The same for a process that is exiting and cannot wait. */
  removeNow(): void;
}

/** @throws Error in one line when the folder cannot be created or written, or when another Redis uses it */
export async function openDataFolder(dataDir?: string): Promise<DataFolder> {
  if (dataDir === undefined) return temporaryFolder();
  const path = resolve(dataDir);
  await makeWritableFolder(path, "Set ORDERS_DATA_DIR to a folder of yours.");
  if (await isInUse(join(path, SOCKET))) {
    throw new Error(`Another service keeps its data in ${path}. Stop it, or set ORDERS_DATA_DIR to another folder.`);
  }
  return { path, kept: true, remove: async () => undefined, removeNow: () => undefined };
}

async function temporaryFolder(): Promise<DataFolder> {
  await makeWritableFolder(tmpdir(), "Set TMPDIR to a folder of yours.");
  const path = await mkdtemp(join(tmpdir(), "orders-redis-"));
  const options = { recursive: true, force: true };
  return { path, kept: false, remove: () => rm(path, options), removeNow: () => rmSync(path, options) };
}

async function isInUse(socket: string): Promise<boolean> {
  const deadlineMs = performance.now() + MAX_WAIT_MS;
  while (await isListening(socket)) {
    if (performance.now() > deadlineMs) return true;
    await wait(POLL_MS);
  }
  return false;
}

/** @throws Error in one line when this is unknown: the path is too long, or belongs to another user */
async function isListening(path: string): Promise<boolean> {
  const relativePath = relative(process.cwd(), path);
  const address = relativePath.length < path.length ? relativePath : path;
  if (Buffer.byteLength(address) > MAX_SOCKET_PATH_BYTES) {
    throw new Error(`The path ${path} is too long for a socket. Set ORDERS_DATA_DIR to a folder with a shorter path.`);
  }
  const socket = connect(address);
  try {
    await once(socket, "connect");
    return true;
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOENT" || code === "ECONNREFUSED") return false;
    throw new Error(`Cannot use the data folder (${reasonOf(cause)}). Set ORDERS_DATA_DIR to a folder of yours.`, {
      cause,
    });
  } finally {
    socket.destroy();
  }
}
