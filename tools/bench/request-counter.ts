import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { z } from "zod";

/** Node tells of each request that a server of this process gets (https://nodejs.org/api/diagnostics_channel.html, "HTTP"). */
const CHANNEL = "http.server.request.start";

/** A caller that has gone already leaves a socket without a port. */
const Message = z.object({ socket: z.object({ localPort: z.number().optional() }) });

/** Counts HTTP requests at the servers of this process; not by proxies, which would make every call slower. */
export interface RequestCounter {
  /** How many requests the server at this address has got. */
  at(url: string): number;
  stop(): void;
}

export function countRequests(): RequestCounter {
  const byPort = new Map<number, number>();

  function hear(message: unknown): void {
    const { localPort } = Message.parse(message).socket;
    if (localPort !== undefined) byPort.set(localPort, (byPort.get(localPort) ?? 0) + 1);
  }

  subscribe(CHANNEL, hear);
  return {
    at: (url) => byPort.get(Number(new URL(url).port)) ?? 0,
    stop: () => void unsubscribe(CHANNEL, hear),
  };
}
