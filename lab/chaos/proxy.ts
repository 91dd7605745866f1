import { once } from "node:events";
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { buffer } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import { failUnlessNetwork } from "../lambda-host/serve.ts";

/** How long a port refuses connections: longer than any client's pause before its first retry. */
const REFUSING_MS = 250;

const LISTEN_PAUSE_MS = 50;

/**
 * Below the ports that systems give out (https://docs.kernel.org/networking/ip-sysctl.html), so that nobody gets one that refuses
 * connections. A run takes thousands: too many for `reservePort`, which keeps each.
 */
const PORTS = { first: 10_000, count: 22_000 };
let portNumber = process.pid * 101;

export interface Reply {
  readonly status: number;
  readonly headers?: IncomingHttpHeaders;
  readonly content: Buffer | string;
}

/** One call on its way from a function to a server, for `treat` to pass on or to break. */
export type Call = ReturnType<typeof callOf>;

/**
 * Stands between one caller and a server.
 * @param treat decides what happens to each call; when it throws, the connection ends
 */
export async function startProxy(target: string, treat: (call: Call) => Promise<void>) {
  const agent = new Agent({ keepAlive: true });
  let stopped = false;
  // Its own: a call that is sent again while the port refuses connections must not reach another server.
  let port = nextPort();

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
  while (!(await isListening())) port = nextPort();

  function isListening(): Promise<boolean> {
    return once(server.listen(port, "127.0.0.1"), "listening").then(
      () => true,
      () => false,
    );
  }

  function close(): void {
    server.close();
    server.closeAllConnections();
  }

  async function closePort(): Promise<void> {
    close();
    await wait(REFUSING_MS);
    while (!stopped && !server.listening && !(await isListening())) await wait(LISTEN_PAUSE_MS);
  }

  return {
    url: `http://127.0.0.1:${port}`,
    stop(): void {
      stopped = true;
      close();
      agent.destroy();
    },
  };
}

/** A port that no other proxy of this process has. It may be in use. */
function nextPort(): number {
  portNumber = (portNumber + 1) % PORTS.count;
  return PORTS.first + portNumber;
}

function callOf(
  { method = "GET", url: path = "", socket }: IncomingMessage,
  outgoing: ServerResponse,
  body: Buffer,
  forwardIt: () => ReturnType<typeof forward>,
  closePort: () => Promise<void>,
) {
  /** Ends the connection without an answer: the caller sees ECONNRESET. */
  const reset = (): void => void socket.resetAndDestroy();
  return {
    method,
    path,
    body: body.toString(),
    /** For replies that the methods below cannot send. */
    outgoing,
    /** Sends the call to the server. */
    forward: forwardIt,
    /** Resolves when the reply was sent, or could not be sent. */
    async answer({ status, headers, content }: Reply): Promise<void> {
      outgoing.writeHead(status, endToEnd(headers));
      await new Promise<void>((resolve) => outgoing.once("close", resolve).end(content, () => resolve()));
    },
    /** Sends the head and half of a reply, then ends the connection: the caller sees ECONNRESET. */
    answerHalf({ status, headers, content }: Reply): void {
      outgoing.writeHead(status, { ...endToEnd(headers), "content-length": content.length });
      outgoing.write(content.slice(0, content.length / 2), () => outgoing.destroy());
    },
    /** Ends the connection in an orderly way. */
    close: (): void => void socket.destroySoon(),
    reset,
    /** Ends the connection, and closes the port for a while: the caller's next attempt sees ECONNREFUSED. */
    async refuse(): Promise<void> {
      reset();
      await closePort();
    },
    /** Sends no reply until the caller gives up. */
    async hold(): Promise<void> {
      if (!outgoing.destroyed) await once(outgoing, "close");
    },
  };
}

function endToEnd(headers: IncomingHttpHeaders = {}): IncomingHttpHeaders {
  const { "transfer-encoding": _, "content-length": __, connection: ___, ...kept } = headers;
  return kept;
}

async function forward(target: string, agent: Agent, incoming: IncomingMessage, body: Buffer) {
  const { method = "GET", url = "/", headers } = incoming;
  const sent = request(new URL(url, target), { agent, method, headers }).end(body);
  const [reply] = (await once(sent, "response")) as [IncomingMessage];
  return { status: reply.statusCode ?? 500, headers: reply.headers, content: await buffer(reply) };
}
