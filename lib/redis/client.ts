import { Redis, type Requester } from "@upstash/redis";
import * as z from "zod/mini";
import type { RedisEnv } from "../env/redis.ts";
import { createHttpClient } from "../http-client.ts";

/** For one request, from the look-up of the name to the end of the reply. `runPipeline` retries what takes longer. */
const REQUEST_TIMEOUT_MS = 1_500;

/**
 * The limit of Upstash for a request (https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded). The
 * replies to the functions have some KB; a function of 256 MB can still parse one of this size.
 */
const MAX_REPLY_BYTES = 10_000_000;

const Failure = z.object({ error: z.string() });

/**
 * The client of Upstash Redis over HTTP. It retries nothing; its errors show no command, no value and no token.
 *
 * The client's own transport would be `fetch`, which takes more CPU time than all else of a warm read
 * (docs/decisions.md, "Speed").
 */
export function createRedis(env: RedisEnv): Redis {
  return new UpstashRedis(requester(env));
}

/** The client takes either a requester or options. */
class UpstashRedis extends Redis {
  /** Without this, the product id "123" comes back as a number. */
  protected override opts = { automaticDeserialization: false };
}

function requester({ UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN }: RedisEnv): Requester {
  const send = createHttpClient(UPSTASH_REDIS_REST_URL, MAX_REPLY_BYTES);
  const headers: Record<string, string> = {
    authorization: `Bearer ${UPSTASH_REDIS_REST_TOKEN}`,
    "content-type": "application/json",
  };
  return {
    async request({ path = [], body }) {
      const reply = await send({
        method: "POST",
        path: `/${path.join("/")}`,
        headers,
        body: JSON.stringify(body),
        timeoutMs: REQUEST_TIMEOUT_MS,
      });
      const parsed = parseJson(reply.body, reply.status);
      if (reply.status !== 200) throw new Error(Failure.safeParse(parsed).data?.error ?? `HTTP status ${reply.status}`);
      // A replica that gets it back waits for the writes before it (https://upstash.com/docs/redis/howto/readyourwrites).
      const syncToken = reply.headers["upstash-sync-token"];
      if (typeof syncToken === "string") headers["upstash-sync-token"] = syncToken;
      return parsed;
    },
  };
}

/** Whatever it is, `runPipeline` and the schemas of the replies check it. */
function parseJson(text: string, status: number) {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's error quotes the text.
    throw new Error(`The reply with status ${status} is not JSON`);
  }
}
