import type { DataFolder } from "./data-folder.ts";
import { SOCKET } from "./data-folder-socket.ts";

const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/** As at Upstash, which has one database and no MIGRATE: no script can reach others, or other servers. */
const ONE_DATABASE = ["--databases", "1", "--rename-command", "MIGRATE", ""];

/**
 * The command line of a loopback-only Redis in its own folder.
 *
 * Snapshots are off in both forms: a kept database is its append-only file, flushed to disk once a second
 * (https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/). The socket's path counts from `--dir`.
 */
export function redisArguments(port: number, folder: DataFolder): string[] {
  const place = ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder.path, "--save", "", ...ONE_DATABASE];
  return folder.kept
    ? [...place, "--appendonly", "yes", "--appendfsync", "everysec", "--unixsocket", SOCKET, "--unixsocketperm", "700"]
    : [...place, "--appendonly", "no"];
}

/** The same command as a line to paste into a POSIX shell. */
export function shellLine(binary: string, args: readonly string[]): string {
  return [binary, ...args].map(quoted).join(" ");
}

function quoted(word: string): string {
  return PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
