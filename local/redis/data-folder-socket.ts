import { once } from "node:events";
import { connect } from "node:net";
import { relative } from "node:path";

/**
 * The Unix socket in a kept folder that its Redis listens on. Nobody needs it to talk to Redis: it tells whether one works
 * in the folder, since two that write one append-only file spoil it, and Redis itself locks nothing. A file with a process
 * id was refused: after a crash that id may be another program's, and in a container it mostly is. A socket answers as
 * long as its Redis lives, and not a moment longer; Redis replaces one that a crash left behind.
 */
export const SOCKET = "redis.sock";

/** What a socket's address can hold on macOS, with its last byte; Linux has 4 more (`sun_path` in unix(4), unix(7)). */
const LONGEST_ADDRESS = 103;

/**
 * Whether a process listens on the Unix socket.
 * @throws Error in one line when nobody can tell: the path is too long, or not this user's
 */
export async function somebodyAnswers(path: string): Promise<boolean> {
  const fromHere = relative(process.cwd(), path);
  const address = fromHere.length < path.length ? fromHere : path;
  if (Buffer.byteLength(address) > LONGEST_ADDRESS) {
    throw new Error(`The path ${path} is too long for a socket: set ORDERS_DATA_DIR to a folder with a shorter one`);
  }
  const socket = connect(address);
  try {
    await once(socket, "connect");
    return true;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ECONNREFUSED") return false;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`The data folder cannot be used (${reason}): set ORDERS_DATA_DIR to one of yours`, {
      cause: error,
    });
  } finally {
    socket.destroy();
  }
}
