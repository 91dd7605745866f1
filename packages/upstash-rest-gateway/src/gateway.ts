import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIPv6 } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { inspect } from "node:util";
import { openDatabase } from "./database.ts";
import { createFates, type Faults } from "./faults.ts";
import { createLimitCheck } from "./limits.ts";
import { parseFaults, parseOptions, type UpstashGatewayOptions } from "./options.ts";
import { corsHeaders } from "./origins.ts";
import { createReadLag } from "./read-lag.ts";
import { encodeError, UpstashError } from "./reply.ts";
import { type Backend, reply } from "./rest.ts";
import { withUpstashScripts } from "./scripts.ts";

/** Node's 5 s is less than a busy client may take to notice that its idle connection was closed, which then fails its next request. */
const KEEP_ALIVE_MS = 60_000;

/** Clients on this machine can use the loopback address too. */
const ANY_ADDRESS = new Set(["0.0.0.0", "::"]);

export interface UpstashGateway {
  /** Such as `http://127.0.0.1:8079`, the value of UPSTASH_REDIS_REST_URL. */
  readonly url: string;
  /** Replaces the faults, from the next request on: `setFaults({})` ends them. Throws InvalidOptions. */
  setFaults(faults: Faults): Promise<void>;
  /** Ends every connection and frees the port. Safe to call more than once. */
  stop(): Promise<void>;
}

/**
 * Serves the Upstash REST protocol over a Redis, so that `@upstash/redis` talks to it as it talks to Upstash
 * (https://upstash.com/docs/redis/features/restapi). Redis may be down, even at the start: requests then get a 500 at once.
 * Rejects with the error of `listen` (`EADDRINUSE`, `EACCES`) if the port is not available.
 * @throws InvalidOptions, a TypeError that names each wrong option
 */
export async function startUpstashGateway(options: UpstashGatewayOptions): Promise<UpstashGateway> {
  const { redisUrl, port, host, allowedHosts, allowedOrigins, token, readOnlyToken, limits, faults, log } =
    parseOptions(options);
  const database = openDatabase(redisUrl, log);
  const scripted = withUpstashScripts(database, limits.pendingPerConsumer);
  const allowed = { allowedHosts, allowedOrigins };
  const fates = createFates(faults);
  const backend: Backend = {
    redisUrl,
    tokens: new Map([
      [readOnlyToken, "read-only"],
      [token, "standard"],
    ]),
    database: scripted,
    limitCheck: createLimitCheck(limits, database),
    openSession: createReadLag(scripted, fates.readLagMs),
    requestBytes: limits.requestBytes,
    allowed,
  };
  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(corsHeaders(request, allowed))) response.setHeader(name, value);
    if (request.method === "OPTIONS" && response.hasHeader("access-control-allow-origin")) {
      response.writeHead(204).end();
      return;
    }
    response.setHeader("content-type", "application/json; charset=utf-8");
    const { latencyMs, fault } = fates.next();
    try {
      if (latencyMs > 0) await wait(latencyMs, undefined, { ref: false });
      if (fault === "error") throw new UpstashError(500, "ERR this error was injected");
      const text = await reply(request, response, backend);
      if (fault === "lost-reply") request.socket.destroy();
      else if (text !== undefined) response.end(text);
    } catch (error) {
      const clientHungUp = request.socket.destroyed;
      if (clientHungUp) return;
      if (!(error instanceof UpstashError)) log(`upstash gateway failed: ${inspect(error)}`);
      response.statusCode = error instanceof UpstashError ? error.status : 500;
      // A body that was not read is thrown away by Node while the connection stays open. Closing it here would reset the
      // connection under a client that still sends, which then never sees the reply.
      response.end(encodeError(error instanceof UpstashError ? error.message : "ERR the gateway failed"));
    }
  }

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, respond);
  try {
    await once(server.listen(port, host), "listening");
    await database.attempted;
  } catch (error) {
    // A client that is closed while it connects would keep the process alive.
    await database.attempted;
    database.close();
    throw error;
  }

  let stopping: Promise<unknown> | undefined;
  async function stop(): Promise<void> {
    stopping ??= once(server.close(), "close");
    server.closeAllConnections();
    database.close();
    await stopping;
  }
  return { url: urlOf(server, host), setFaults: async (others) => fates.set(parseFaults(others)), stop };
}

function urlOf(server: Server, host: string): string {
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("the gateway listens on no port");
  const name = ANY_ADDRESS.has(host) ? "127.0.0.1" : isIPv6(host) ? `[${host}]` : host;
  return `http://${name}:${address.port}`;
}
