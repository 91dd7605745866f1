import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listen } from "../../local/ports.ts";

const NETWORK_ERRORS = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "EPIPE", "ABORT_ERR"],
  ...["ERR_STREAM_PREMATURE_CLOSE", "ERR_STREAM_WRITE_AFTER_END", "UND_ERR_SOCKET"],
]);

/** Answers HTTP on a free port of the loopback interface. An error that no broken connection explains ends the run. */
export async function serve(respond: (request: IncomingMessage, response: ServerResponse) => Promise<void>) {
  const server = createServer((request, response) => {
    respond(request, response).catch((error) => {
      response.destroy();
      failUnlessNetwork(error);
    });
  });
  return {
    url: await listen(server),
    async stop(): Promise<void> {
      const closed = once(server.close(), "close");
      server.closeAllConnections();
      await closed;
    },
  };
}

/** @throws the error, unless a broken connection explains it: else it is a bug of the tool */
export function failUnlessNetwork(error: unknown): void {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && NETWORK_ERRORS.has(String(cause.code))) return;
    if (cause.name === "TimeoutError" || cause.message === "aborted" || cause.message === "socket hang up") return;
  }
  throw error;
}
