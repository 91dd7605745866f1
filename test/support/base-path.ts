import { createServer, request } from "node:http";
import { pipeline } from "node:stream/promises";
import { listen } from "./servers.ts";

export interface BasePath {
  readonly url: string;
  stop(): Promise<void>;
}

/** Serves another server below a path, as a stage or a custom domain's base path does. */
export async function startBasePath(target: string, path: string): Promise<BasePath> {
  const server = createServer((incoming, outgoing) => {
    const { method, url = "/" } = incoming;
    // The service's own host, as API Gateway and most proxies put it in place of the public one.
    const headers = { ...incoming.headers, host: new URL(target).host };
    if (!url.startsWith(`${path}/`)) {
      outgoing.writeHead(404).end();
      return;
    }
    const behind = request(`${target}${url.slice(path.length)}`, { method: method ?? "GET", headers }, (reply) => {
      outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
      pipeline(reply, outgoing).catch(() => outgoing.destroy());
    });
    pipeline(incoming, behind).catch(() => outgoing.destroy());
  });
  const url = `${await listen(server)}${path}`;
  return {
    url,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
