import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { listen, reservePort } from "../../local/ports.ts";

/** A free port of the loopback interface for each variable, as an environment. */
export async function freePorts(...variables: string[]): Promise<Record<string, string>> {
  const entries: [string, string][] = [];
  for (const variable of variables) entries.push([variable, String(await reservePort())]);
  return Object.fromEntries(entries);
}

/** Whether a connection is accepted there: a process id would also be that of one that is dead and not yet collected. */
export async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A server that answers with `respond` until the test ends. */
export async function answering(respond: RequestListener): Promise<string> {
  const server = createHttpServer(respond);
  onTestFinished(async () => {
    server.closeAllConnections();
    await once(server.close(), "close");
  });
  return listen(server);
}

/** A server that accepts connections and never sends anything. */
export async function silent(): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on("error", () => undefined)));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await once(server.close(), "close");
  });
  return listen(server);
}

/** The address of a port that refuses connections. */
export async function refused(): Promise<string> {
  const server = createServer();
  const url = await listen(server);
  await once(server.close(), "close");
  return url;
}

/** An answer of this status and JSON. */
export function json(status: number, body: unknown): RequestListener {
  return (_request, response) => response.writeHead(status).end(JSON.stringify(body));
}

/** An answer of this status and text. */
export function text(status: number, body: string): RequestListener {
  return (_request, response) => response.writeHead(status).end(body);
}

/** The first half of an answer. Then its connection ends. */
export function half(body: string): RequestListener {
  return (_request, response) => {
    response.writeHead(200, { "content-length": 2 * body.length }).write(body, () => response.destroy());
  };
}
