import { subscribe } from "node:diagnostics_channel";
import { type IncomingHttpHeaders, type IncomingMessage, Server, type ServerResponse } from "node:http";
import { z } from "zod";

const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/** `none` is an address that a person typed or opened. `same-site` can be another port of this machine, which is another origin. */
const OWN_SITES = ["none", "same-origin"];

const HOST_REFUSED = "The Host header is not loopback. Use localhost, 127.0.0.1 or [::1]";
const PAGE_REFUSED = "Web pages of another origin cannot use this port";

/** The diagnostics channel of `net.Server.listen`: https://nodejs.org/docs/latest-v24.x/api/diagnostics_channel.html#net */
const LISTEN_CHANNEL = "tracing:net.server.listen:asyncStart";
const Listening = z.object({ server: z.instanceof(Server), options: z.object({ port: z.coerce.number() }) });

/** @returns the reason to refuse a request, or undefined */
export type Guard = (headers: IncomingHttpHeaders) => string | undefined;

/**
 * Refuses every `Host` that is not loopback. To the browser, a page whose host name resolves to 127.0.0.1 (DNS rebinding)
 * has the same origin as this server, and could read replies.
 */
export const refuseForeignHosts: Guard = ({ host = "" }) => (LOOPBACK_HOST.test(host) ? undefined : HOST_REFUSED);

/**
 * Refuses requests that a browser sends for a page of another origin (another port of this machine too), and every `Host`
 * that is not loopback. A browser requests an image or a script without `Origin`, so `Sec-Fetch-Site` counts too; browsers
 * send it to loopback since 2023 at the latest
 * (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site). Other programs send neither.
 */
export const refuseForeignPages: Guard = (headers) => {
  const { host = "", origin = `http://${host}`, "sec-fetch-site": site = "none" } = headers;
  const isOwn = origin === `http://${host}` && OWN_SITES.includes(String(site));
  return refuseForeignHosts(headers) ?? (isOwn ? undefined : PAGE_REFUSED);
};

/**
 * Guards every HTTP server of this process that starts to listen from now on, including those of other packages. A refused
 * request gets 403 before any listener of the server sees it.
 */
export function guardServers(guardOf: (port: number) => Guard): void {
  subscribe(LISTEN_CHANNEL, (message) => {
    const listening = Listening.safeParse(message);
    if (listening.success) guardServer(listening.data.server, guardOf(listening.data.options.port));
  });
}

function guardServer(server: Server, guard: Guard): void {
  for (const event of ["request", "checkContinue"]) {
    const listeners = server.listeners(event);
    if (listeners.length === 0) continue;
    server.removeAllListeners(event);
    server.on(event, (request: IncomingMessage, response: ServerResponse) => {
      const message = guard(request.headers);
      if (message === undefined) for (const listener of listeners) Reflect.apply(listener, server, [request, response]);
      else response.writeHead(403, { "content-type": "application/json" }).end(JSON.stringify({ message }));
    });
  }
}
