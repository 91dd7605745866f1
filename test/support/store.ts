import type { Redis } from "@upstash/redis";
import { startUpstashGateway, type UpstashGateway } from "upstash-rest-gateway";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { createRedis } from "../../lib/redis/client.ts";
import { logger } from "../../lib/telemetry.ts";
import { startHttpFront } from "./http-front.ts";
import { type TestRedisClient, useRedis } from "./redis.ts";

const TOKEN = "store-token";

export interface TestStore {
  /** The service's own client: each of its calls goes over the REST protocol. */
  readonly redis: Redis;
  /** Redis itself, past the gateway: to arrange and to look. */
  readonly client: TestRedisClient;
  readonly redisUrl: string;
  /** Address and token of the gateway. */
  readonly url: string;
  readonly token: string;
  /**
   * Has reads of a client that has not written see keys as they were `lagMs` ago, as a replica may, until the test ends.
   * @returns lets them see the present
   */
  lagReads(ms: number): Promise<() => Promise<void>>;
}

/**
 * Gives the calling test file a Redis of its own behind a gateway of its own, empty before every test. The properties can
 * be read inside hooks and tests only.
 */
export function useStore(): TestStore {
  const server = useRedis();
  let gateway: UpstashGateway | undefined;
  let redis: Redis | undefined;

  beforeAll(async () => {
    logger.setLogLevel("SILENT");
    gateway = await startUpstashGateway({ redisUrl: server.url, token: TOKEN });
    redis = redisAt(gateway.url, TOKEN);
  });
  afterAll(() => gateway?.stop());

  return {
    get redis() {
      return started(redis);
    },
    get client() {
      return server.client;
    },
    get redisUrl() {
      return server.url;
    },
    get url() {
      return started(gateway).url;
    },
    token: TOKEN,
    async lagReads(readLagMs) {
      const catchUp = () => started(gateway).setFaults({});
      await started(gateway).setFaults({ readLagMs });
      onTestFinished(catchUp);
      return catchUp;
    },
  };
}

/** The service's client for any other address. */
export function redisAt(url: string, token = TOKEN): Redis {
  return createRedis({ UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token });
}

function started<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("The store runs inside hooks and tests only: read it there");
  return value;
}

interface CountedRedis {
  readonly redis: Redis;
  /** The HTTP requests that the client has sent. */
  readonly requests: () => number;
}

/**
 * The service's client by way of a proxy that counts its requests, until the running test ends.
 * @param beforeRequest runs before the request of this number, 1 the first, is passed on; true loses its reply
 */
export async function countedRedis(
  store: Pick<TestStore, "url" | "token">,
  beforeRequest: (number: number) => unknown = () => undefined,
): Promise<CountedRedis> {
  const front = await startHttpFront(store.url);
  onTestFinished(() => front.stop());
  front.answerWith(async (call) => {
    const losesReply = (await beforeRequest(front.requests.length)) === true;
    const reply = await call.forward();
    if (losesReply) call.reset();
    else await call.answer(reply);
  });
  return { redis: redisAt(front.url, store.token), requests: () => front.requests.length };
}
