import { setTimeout as wait } from "node:timers/promises";
import type { ApiFront } from "./api-front.ts";

/** serverless-offline, as far as it is used: the HTTP server of the API, once it is there. */
interface ServerlessOffline {
  internals(): { getApiGatewayServer(): ApiFront };
}

/**
 * Waits for the API's server to listen. serverless-offline has no hook between starting its servers and waiting for a
 * signal, so this looks every moment.
 * @throws Error when serverless-offline is not among the plugins
 */
export async function offlineFront(plugins: readonly object[]): Promise<ApiFront> {
  const offline = plugins.find(isServerlessOffline);
  if (!offline) throw new Error("The plugin serverless-offline is missing in serverless.yml");
  for (;;) {
    const front = startedFront(offline);
    if (front) return front;
    await wait(20);
  }
}

function isServerlessOffline(plugin: object): plugin is ServerlessOffline {
  return "internals" in plugin && typeof plugin.internals === "function";
}

function startedFront(offline: ServerlessOffline): ApiFront | undefined {
  try {
    const front = offline.internals().getApiGatewayServer();
    return front.info.started > 0 ? front : undefined;
  } catch {
    // It throws until it has made its server.
    return undefined;
  }
}
