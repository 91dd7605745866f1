/** The local stack, with a server in place of serverless-offline's: run by the tests of how all of it ends. */
import { createServer } from "node:http";
import { exitOnTermination } from "../../local/process-lifecycle.ts";
import { readSettings } from "../../local/settings.ts";
import { startStack } from "../../local/stack.ts";
import { PORTS } from "../support/offline.ts";
import { freePorts } from "../support/servers.ts";

const settings = readSettings(await freePorts(...PORTS));
const stack = await startStack(settings);
exitOnTermination(stack.stop);

createServer((_, response) => response.end()).listen(settings.ORDERS_API_PORT, "127.0.0.1");
for (const signal of ["SIGINT", "SIGTERM"]) {
  // As serverless-offline, which gives open connections 5 s.
  process.on(signal, () => setTimeout(() => process.exit(0), 5_000));
}

const { ORDERS_API_PORT, ORDERS_SCHEDULER_PORT, ORDERS_UPSTASH_PORT, ORDERS_REDIS_PORT } = settings;
const ports = { api: ORDERS_API_PORT, stack: [ORDERS_SCHEDULER_PORT, ORDERS_UPSTASH_PORT, ORDERS_REDIS_PORT] };
process.stdout.write(`${JSON.stringify({ pid: process.pid, ...ports })}\n`);
