import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { inspect } from "node:util";
import { openDatabase } from "./database.ts";
import { createLimitCheck, type Limits, PAY_AS_YOU_GO } from "./limits.ts";
import { encodeError, UpstashError } from "./reply.ts";
import { type Backend, reply } from "./rest.ts";
import { withUpstashScripts } from "./scripts.ts";

const LOOPBACK = "127.0.0.1";

export interface UpstashGateway {
  /** `http://127.0.0.1:<port>`, the value of UPSTASH_REDIS_REST_URL. */
  readonly url: string;
  /** Ends every connection and frees the port. Safe to call more than once. */
  stop(): Promise<void>;
}

export interface UpstashGatewayOptions {
  /** `redis://[user:password@]host:port[/database]` */
  readonly redisUrl: string;
  /** The port to listen on; 0, the default, is any free port. */
  readonly port?: number;
  /** The token that may run every command; "local" by default. */
  readonly token?: string;
  /** The token that may only read; "local-readonly" by default. */
  readonly readOnlyToken?: string;
  /** Limits other than those of Upstash's Pay-as-you-go plan: a test sets lower ones. */
  readonly limits?: Partial<Limits>;
  /** Receives a line when Redis is lost, when it is back, and for each failure of the gateway itself. */
  readonly log?: (line: string) => void;
}

/**
 * Serves the Upstash REST protocol over a Redis, on the loopback interface only, so that `@upstash/redis` talks to it as
 * it talks to Upstash (https://upstash.com/docs/redis/features/restapi). Redis may be down, even at the start: requests
 * then get a 500 at once. Rejects with the error of `listen` (`EADDRINUSE`, `EACCES`) if the port is not available.
 */
export async function startUpstashGateway(options: UpstashGatewayOptions): Promise<UpstashGateway> {
  const { redisUrl, port = 0, token = "local", readOnlyToken = "local-readonly", log = () => {} } = options;
  const limits = { ...PAY_AS_YOU_GO, ...options.limits };
  const database = openDatabase(redisUrl, log);
  const backend: Backend = {
    redisUrl,
    tokens: new Map([
      [readOnlyToken, "read-only"],
      [token, "standard"],
    ]),
    database: withUpstashScripts(database, limits.pendingPerConsumer),
    limitCheck: createLimitCheck(limits, database),
    requestBytes: limits.requestBytes,
  };
  let syncToken = Date.now();

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("content-type", "application/json; charset=utf-8");
    // The client sends the last one back to read its own writes. Here every read sees every write, so any new value will do.
    response.setHeader("upstash-sync-token", (++syncToken).toString(36));
    try {
      const text = await reply(request, response, backend);
      if (text !== undefined) response.end(text);
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

  const server = createServer(respond);
  try {
    await once(server.listen(port, LOOPBACK), "listening");
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
  return { url: `http://${LOOPBACK}:${portOf(server)}`, stop };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("the gateway listens on no port");
  return address.port;
}
