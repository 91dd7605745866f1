import { once } from "node:events";
import { createServer, type Server } from "node:net";
import getPort, { portNumbers } from "get-port";
import type { Settings } from "./settings.ts";

/**
 * Below the ports that systems give out (https://docs.kernel.org/networking/ip-sysctl.html), so that no other program gets
 * one between its choice and its use. Each process begins at another one.
 */
const FIRST_PORT = 10_000 + ((process.pid * 101) % 20_000);
const PORT_COUNT = 2_000;

interface NamedPort {
  readonly port: number;
  /** The name of what listens there. */
  readonly what: string;
  /** The environment variable that sets it. */
  readonly variable: string;
  /** Whether people get its address as `localhost`, which is [::1] for some programs. */
  readonly byName?: boolean;
}

/**
 * A free port of the loopback interface that this process chooses only once: for a program that has to be given its port.
 * A server of this process uses `listen`.
 */
export function reservePort(): Promise<number> {
  return getPort({ port: portNumbers(FIRST_PORT, FIRST_PORT + PORT_COUNT - 1), reserve: true });
}

/** Has `server` listen on a free port of the loopback interface, and returns its `http:` address. */
export async function listen(server: Server): Promise<string> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("The server listens on no port");
  return `http://127.0.0.1:${address.port}`;
}

/**
 * Checks before anything starts that every port is free at 127.0.0.1, and at [::1] if its address has the name `localhost`.
 * @throws Error in one line that names the port and the variable, and says whether this service already runs there
 */
export async function assertPortsFree(settings: Settings): Promise<void> {
  const ports = portsOf(settings);
  for (const [index, { port, what, variable, byName = false }] of ports.entries()) {
    const other = ports.slice(0, index).find((earlier) => earlier.port === port);
    if (other) throw new Error(`${other.variable} and ${variable} are both ${port}. Set one to another port.`);
    const code = (await listenError(port, "127.0.0.1")) ?? (byName ? await listenError(port, "::1") : undefined);
    if (code === undefined) continue;
    if (code === "EACCES") {
      throw new Error(`Port ${port} (${what}) is not allowed for this user: set ${variable} to another port`);
    }
    const owner = (await isOrderService(port)) ? "an order service that already runs" : "another program";
    throw new Error(`Port ${port} (${what}) is taken by ${owner}: stop it, or set ${variable} to another port`);
  }
}

function portsOf(settings: Settings): NamedPort[] {
  const ports: NamedPort[] = [
    { port: settings.ORDERS_API_PORT, what: "the API", variable: "ORDERS_API_PORT", byName: true },
    { port: settings.ORDERS_CONSOLE_PORT, what: "the console", variable: "ORDERS_CONSOLE_PORT", byName: true },
    { port: settings.ORDERS_LAMBDA_PORT, what: "Lambda invoke", variable: "ORDERS_LAMBDA_PORT" },
    { port: settings.ORDERS_SCHEDULER_PORT, what: "the Scheduler", variable: "ORDERS_SCHEDULER_PORT" },
  ];
  if (settings.UPSTASH_REDIS_REST_URL) return ports;
  ports.push({ port: settings.ORDERS_UPSTASH_PORT, what: "Upstash REST", variable: "ORDERS_UPSTASH_PORT" });
  if (settings.ORDERS_REDIS_PORT && !settings.REDIS_URL) {
    ports.push({ port: settings.ORDERS_REDIS_PORT, what: "Redis", variable: "ORDERS_REDIS_PORT" });
  }
  return ports;
}

/** @returns the code of the reason why nobody can listen there, or undefined: it is free, or there is no IPv6 */
async function listenError(port: number, host: string): Promise<string | undefined> {
  const server = createServer().listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    return code === "EADDRINUSE" || code === "EACCES" || host === "127.0.0.1" ? code : undefined;
  }
  await once(server.close(), "close");
  return undefined;
}

async function isOrderService(port: number): Promise<boolean> {
  try {
    const reply = await fetch(`http://127.0.0.1:${port}/openapi.yaml`, { signal: AbortSignal.timeout(2_000) });
    return reply.ok && (await reply.text()).includes("title: Order service");
  } catch {
    // No HTTP reply in time: it is not this service.
    return false;
  }
}
