import type { IncomingHttpHeaders } from "node:http";

const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/** `none` is an address that a person typed or opened. `same-site` is another port of this machine, so it is foreign. */
const OWN_SITES = ["none", "same-origin"];

/**
 * Gives the reason to refuse a request, or undefined. Refused are a `Host` that is not loopback (a page whose own host
 * name was pointed at 127.0.0.1, which is called DNS rebinding, could read the replies) and every request that a browser
 * sends for a page of another origin. An image or a script is sent without `Origin`, so `Sec-Fetch-Site` counts too
 * (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site). Other clients send neither.
 */
export function denialReason(headers: IncomingHttpHeaders): string | undefined {
  const { host = "", origin = `http://${host}`, "sec-fetch-site": site = "none" } = headers;
  if (!LOOPBACK_HOST.test(host)) return "The Host header is not loopback. Use localhost, 127.0.0.1 or [::1]";
  const isOwn = origin === `http://${host}` && OWN_SITES.includes(String(site));
  return isOwn ? undefined : "Web pages of another origin cannot use this port";
}
