import { once } from "node:events";
import { createServer, request as forward } from "node:http";
import type { Redis } from "@upstash/redis";
import { onTestFinished } from "vitest";
import { listen } from "./listen.ts";
import { redisAt, type TestStore } from "./store.ts";

export interface CountedRedis {
  readonly redis: Redis;
  /** The HTTP requests that the client has sent. */
  readonly requests: () => number;
}

/**
 * The service's client by way of a proxy that counts its requests, until the running test ends.
 * @param beforeRequest runs before the request of this number, 1 the first, is passed on; true loses its reply
 */
export async function countedRedis(
  store: TestStore,
  beforeRequest: (number: number) => unknown = () => undefined,
): Promise<CountedRedis> {
  let requests = 0;
  const proxy = createServer(async (incoming, outgoing) => {
    requests += 1;
    const loseReply = (await beforeRequest(requests)) === true;
    const { method, headers } = incoming;
    const passedOn = forward(new URL(incoming.url ?? "/", store.url), { method, headers });
    incoming.pipe(passedOn);
    const [answer] = await once(passedOn, "response");
    if (loseReply) {
      answer.resume();
      outgoing.destroy();
      return;
    }
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  const url = await listen(proxy);
  onTestFinished(async () => {
    proxy.closeAllConnections();
    await once(proxy.close(), "close");
  });
  return { redis: redisAt(url, store.token), requests: () => requests };
}
