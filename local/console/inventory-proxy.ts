import { createServer, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { setTimeout } from "node:timers/promises";
import { refuseForeignPages } from "../loopback-guard.ts";
import { listen } from "../ports.ts";
import type { Faults } from "./faults.ts";

/** Longer than the service waits for a price. */
const SLOW_MS = 5_000;

/**
 * Passes questions on to the inventory, on a free port of loopback, so that the console can make it slow.
 * @param faults looked up at each question
 */
export async function startInventoryProxy(inventoryUrl: string, faults: Readonly<Faults>) {
  const { protocol, pathname } = new URL(inventoryUrl);
  const send = protocol === "https:" ? requestHttps : requestHttp;

  const server = createServer(async ({ url = "", method, headers: { host, ...headers } }, response) => {
    if (refuseForeignPages({ host, ...headers })) {
      response.writeHead(403).end();
      return;
    }
    if (faults.inventory === "slow") await setTimeout(SLOW_MS);
    const path = pathname.replace(/\/$/, "") + url;
    const question = send(inventoryUrl, { path, method, headers }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.on("error", () => response.destroy()).pipe(response);
    });
    response.on("close", () => question.destroy());
    question.on("error", () => response.destroy()).end();
  });
  return {
    url: await listen(server),
    stop(): void {
      server.closeAllConnections();
      server.close();
    },
  };
}
