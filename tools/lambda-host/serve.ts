import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listen } from "../../test/support/servers.ts";

export interface Served {
  readonly url: string;
  stop(): Promise<void>;
}

/** Answers HTTP on a free port of the loopback interface; a request whose answer fails has its connection cut. */
export async function serve(
  respond: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<Served> {
  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy());
  });
  const url = await listen(server);

  async function stop(): Promise<void> {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }
  return { url, stop };
}
