import { setGlobalProxyFromEnv } from "node:http";

/** The form of a host in a URL, without a port. */
const LOOPBACK = ["localhost", "127.0.0.1", "::1", "[::1]"];

/**
 * Has calls to this machine go past the proxy of the shell, in this process and in those that it starts.
 *
 * With NODE_USE_ENV_PROXY=1 or --use-env-proxy, Node.js 24 sends even calls to 127.0.0.1 through HTTP_PROXY, except to the
 * hosts of NO_PROXY (https://nodejs.org/docs/latest-v24.x/api/http.html#built-in-proxy-support).
 */
export function bypassProxyForLoopback(env: NodeJS.ProcessEnv = process.env): void {
  const given = env.no_proxy || env.NO_PROXY;
  env.no_proxy = env.NO_PROXY = [...(given ? [given] : []), ...LOOPBACK].join();
  if (usesProxy(env)) setGlobalProxyFromEnv(env);
}

function usesProxy({ NODE_USE_ENV_PROXY, NODE_OPTIONS = "" }: NodeJS.ProcessEnv): boolean {
  return (
    NODE_USE_ENV_PROXY === "1" || [...process.execArgv, NODE_OPTIONS].some((text) => text.includes("--use-env-proxy"))
  );
}
