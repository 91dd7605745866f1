import { once } from "node:events";
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import { buffer } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";

/** So long nobody listens on a port that refuses: longer than the first pause between two attempts of any client. */
const REFUSING_MS = 250;

const LISTEN_PAUSE_MS = 50;

/**
 * Below those that systems give out (https://docs.kernel.org/networking/ip-sysctl.html), so that nobody is given one that
 * refuses, or one before it is used. Each process begins at another one.
 */
const PORTS = { first: 10_000, count: 22_000 };
let portNumber = process.pid * 101;

/** Longer than any client waits; then a held call ends by itself. */
const HOLD_MS = 60_000;

const NETWORK_ERRORS = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "EPIPE", "ABORT_ERR"],
  ...["ERR_STREAM_PREMATURE_CLOSE", "ERR_STREAM_WRITE_AFTER_END", "UND_ERR_SOCKET"],
]);

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly content: Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers?: IncomingHttpHeaders;
  readonly content: Buffer | string;
}

/** One call on its way from a function to a server, in the hands of whoever decides what becomes of it. */
export type Call = ReturnType<typeof callOf>;

export type CallProxy = Awaited<ReturnType<typeof startProxy>>;

/**
 * Stands between one caller and a server.
 * @param treat decides what becomes of each call; when it throws, the connection is ended
 */
export async function startProxy(target: string, treat: (call: Call) => Promise<void>) {
  const agent = new Agent({ keepAlive: true });
  let stopped = false;

  const server = createServer(async (incoming, outgoing) => {
    try {
      const body = await buffer(incoming);
      await treat(callOf(incoming, outgoing, body, () => forward(target, agent, incoming, body), closePort));
    } catch (error) {
      // The server behind is away, or the caller has gone: this connection ends.
      outgoing.destroy();
      failUnlessNetwork(error);
    }
  });
  server.on("error", () => undefined);
  const port = await listenOnOwnPort(server);

  async function closePort(): Promise<void> {
    server.close();
    server.closeAllConnections();
    await wait(REFUSING_MS);
    while (!stopped && !server.listening) {
      server.listen(port, "127.0.0.1");
      await Promise.race([once(server, "listening"), wait(LISTEN_PAUSE_MS)]).catch(() => wait(LISTEN_PAUSE_MS));
    }
  }

  return {
    url: `http://127.0.0.1:${port}`,
    stop(): void {
      stopped = true;
      server.close();
      server.closeAllConnections();
      agent.destroy();
    },
  };
}

/** A port that nobody else of this machine's tools and tests tries at the same time. It may be in use. */
export function nextPort(): number {
  portNumber = (portNumber + 1) % PORTS.count;
  return PORTS.first + portNumber;
}

/** Each proxy has a port of its own: a call that is sent again while it refuses must not reach another server. */
async function listenOnOwnPort(server: Server): Promise<number> {
  for (;;) {
    const port = nextPort();
    const isListening = await once(server.listen(port, "127.0.0.1"), "listening").then(
      () => true,
      () => false,
    );
    if (isListening) return port;
  }
}

function callOf(
  { method = "GET", url: path = "", socket }: IncomingMessage,
  outgoing: ServerResponse,
  body: Buffer,
  forward: () => Promise<Reply>,
  closePort: () => Promise<void>,
) {
  /** Ends the connection without an answer: the caller sees ECONNRESET. */
  const reset = (): void => void socket.resetAndDestroy();
  return {
    method,
    path,
    body: body.toString(),
    /** For a reply that none of the methods below gives. */
    outgoing,
    /** Has the server do it. */
    forward,
    /** Resolves when the reply has gone out, or could not. */
    async answer({ status, headers = {}, content }: Answer): Promise<void> {
      const { "transfer-encoding": _, "content-length": __, connection: ___, ...kept } = headers;
      outgoing.writeHead(status, kept);
      await new Promise<void>((resolve) => outgoing.once("close", resolve).end(content, () => resolve()));
    },
    /** Gives the head and half of a reply, then ends the connection: the caller sees ECONNRESET. */
    answerHalf({ status, headers, content }: Reply): void {
      const { "transfer-encoding": _, connection: __, ...kept } = headers;
      outgoing.writeHead(status, { ...kept, "content-length": content.length });
      outgoing.write(content.subarray(0, content.length / 2), () => outgoing.destroy());
    },
    /** Ends the connection in an orderly way. */
    close: (): void => void socket.destroySoon(),
    reset,
    /** Ends the connection, and closes the port for a while: the caller's next attempt sees ECONNREFUSED. */
    async refuse(): Promise<void> {
      reset();
      await closePort();
    },
    /** Gives no answer for as long as the caller waits. */
    async hold(): Promise<void> {
      const over = new AbortController();
      await Promise.race([once(outgoing, "close"), wait(HOLD_MS, undefined, { signal: over.signal, ref: false })]);
      over.abort();
      outgoing.destroy();
    },
  };
}

/** Throws an error that no broken connection explains: it is a bug of the fault suite, and ends the run. */
export function failUnlessNetwork(error: unknown): void {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && NETWORK_ERRORS.has(String(cause.code))) return;
    if (cause.name === "TimeoutError" || cause.message === "aborted" || cause.message === "socket hang up") return;
  }
  throw error;
}

async function forward(target: string, agent: Agent, incoming: IncomingMessage, body: Buffer): Promise<Reply> {
  const { method = "GET", url = "/", headers } = incoming;
  const sent = request(new URL(url, target), { agent, method, headers }).end(body);
  const [reply] = (await once(sent, "response")) as [IncomingMessage];
  return { status: reply.statusCode ?? 500, headers: reply.headers, content: await buffer(reply) };
}
