/** A program that starts a Redis and ends in the way it is told: run by the tests of what becomes of that Redis. */
import { existsSync } from "node:fs";
import { startRedis } from "../../../local/redis/redis-server.ts";

const [ending, dataDir] = process.argv.slice(2);
const server = await startRedis(dataDir === undefined ? {} : { dataDir });

process.on("SIGINT", async () => {
  // Still the very process that we started, or the signal has reached it before we could stop it.
  const gone = await Promise.race([
    server.exited.then(() => true),
    new Promise((done) => setTimeout(done, 500, false)),
  ]);
  process.stdout.write(`${JSON.stringify({ gone })}\n`);
  await server.stop();
  process.exit(0);
});

const folder = /--dir '?([^ ']+)/.exec(server.command)?.[1] ?? "";
// Registered last, so it runs last: nothing but what this process did itself can have removed the folder by then.
process.once("exit", () => process.stdout.write(`${JSON.stringify({ folderLeft: existsSync(folder) })}\n`));
process.stdout.write(`${JSON.stringify({ url: server.url, pid: server.pid, folder })}\n`);
if (ending === "exit") process.exit(0);
if (ending === "wait") setInterval(() => undefined, 60_000);
