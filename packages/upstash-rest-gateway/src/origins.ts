import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"];

/** `none` is an address that a person typed or opened. `same-site` can be another port of this machine, which is another origin. */
const OWN_SITES = ["none", "same-origin"];

/** Who may use the gateway besides programs that call it by a loopback name. */
export interface Allowed {
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

/**
 * Returns the reason to refuse a request, or undefined. It refuses an unknown `Host` (a page whose host name resolves to
 * 127.0.0.1, called DNS rebinding, could read the replies) and every request that a browser sends for a page of another
 * origin. A browser requests images and scripts without `Origin`, so `Sec-Fetch-Site` counts too
 * (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site). Other clients send neither.
 */
export function denialReason(headers: IncomingHttpHeaders, allowed: Allowed): string | undefined {
  const { host = "", origin, "sec-fetch-site": site = "none" } = headers;
  const name = host.replace(/:\d+$/, "").toLowerCase();
  if (![...LOOPBACK_HOSTS, ...allowed.allowedHosts.map((other) => other.toLowerCase())].includes(name)) {
    return `The host name '${name}' is not allowed: use localhost, or allow it (--allow-host)`;
  }
  if (origin !== undefined && isAllowed(origin, allowed)) return undefined;
  const isOwn = (origin === undefined || origin === `http://${host}`) && OWN_SITES.includes(String(site));
  return isOwn ? undefined : "Web pages of another origin cannot use this port, unless it is allowed (--allow-origin)";
}

/** The headers with which a browser shows a reply to a page of an allowed origin, and accepts the request before. */
export function corsHeaders({ headers, method }: IncomingMessage, allowed: Allowed): Record<string, string> {
  const { origin, "access-control-request-headers": wanted = "" } = headers;
  if (origin === undefined || !isAllowed(origin, allowed)) return {};
  return {
    "access-control-allow-origin": origin,
    "access-control-expose-headers": "upstash-sync-token",
    vary: "origin",
    ...(method === "OPTIONS" && {
      "access-control-allow-methods": "GET, HEAD, POST, PUT",
      "access-control-allow-headers": wanted,
    }),
  };
}

function isAllowed(origin: string, { allowedOrigins }: Allowed): boolean {
  return allowedOrigins.includes("*") || allowedOrigins.includes(origin);
}
