/** A program that starts a Redis and ends in the given way. Tests run it to see what happens to that Redis. */
import { existsSync } from "node:fs";
import { startRedis } from "../../../local/redis/redis-server.ts";

const [ending, dataDir] = process.argv.slice(2);
const server = await startRedis(dataDir === undefined ? {} : { dataDir });

// Ctrl-C goes to the whole process group, and Redis must not end before those that use it.
process.on("SIGINT", () => process.stdout.write('"SIGINT"\n'));

const folder = /--dir '?([^ ']+)/.exec(server.command)?.[1] ?? "";
// Registered last, so it runs last: nothing but what this process did itself can have removed the folder by then.
process.once("exit", () => process.stdout.write(`${JSON.stringify({ folderLeft: existsSync(folder) })}\n`));
process.stdout.write(`${JSON.stringify({ url: server.url, pid: server.pid, folder })}\n`);
if (ending === "exit") process.exit(0);
if (ending === "wait") setInterval(() => undefined, 60_000);
