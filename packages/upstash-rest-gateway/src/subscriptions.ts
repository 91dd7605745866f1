import type { ServerResponse } from "node:http";
import { createClient } from "@redis/client";
import { unreachable } from "./database.ts";

/** Keeps a quiet connection open. Clients ignore comments (WHATWG HTML, "Server-sent events"). */
const HEARTBEAT_MS = 15_000;

type SubscribeCommand = "subscribe" | "psubscribe";

/**
 * Sends the messages of channels or patterns as server-sent events until the client hangs up or Redis is lost
 * (https://upstash.com/docs/redis/features/restapi, "Subscribe & Publish Commands"): `data: subscribe,{channel},{count}` for
 * each channel, then `data: message,{channel},{message}`, or `data: pmessage,{pattern},{channel},{message}`.
 * @param redisUrl for a connection of its own, as Redis needs
 * @throws UpstashError with status 500 when Redis is away
 */
export async function streamMessages(
  response: ServerResponse,
  redisUrl: string,
  command: SubscribeCommand,
  names: readonly string[],
): Promise<void> {
  const client = createClient({ url: redisUrl, socket: { reconnectStrategy: false } });
  client.on("error", () => {
    if (response.headersSent) response.end();
  });
  try {
    await client.connect();
  } catch (cause) {
    throw unreachable(cause);
  }
  const heartbeat = setInterval(() => response.write(": heartbeat\n\n"), HEARTBEAT_MS);
  response.once("close", () => {
    clearInterval(heartbeat);
    if (client.isOpen) client.destroy();
  });
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
  for (const [index, name] of names.entries()) {
    if (command === "subscribe") await client.subscribe(name, (message) => send(response, "message", name, message));
    else await client.pSubscribe(name, (message, channel) => send(response, "pmessage", name, channel, message));
    send(response, command, name, String(index + 1));
  }
}

/** A line break ends a field, so a message of several lines has several fields, which a client joins. */
function send(response: ServerResponse, ...parts: readonly string[]): void {
  const lines = parts.join(",").split(/\r\n|\r|\n/);
  response.write(`${lines.map((line) => `data: ${line}`).join("\n")}\n\n`);
}
