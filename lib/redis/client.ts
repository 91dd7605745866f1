import { Redis, type Requester } from "@upstash/redis";
import * as z from "zod/mini";
import { UpstashUrl } from "../env.ts";
import { createHttpClient } from "../http-client.ts";

/** The time-out of one request, from the name look-up to the end of the reply. `runPipeline` retries after it. */
const REQUEST_TIMEOUT_MS = 1_500;

/**
 * The limit of Upstash for a request (https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded). The
 * replies to the functions have some KB; a function of 256 MB can still parse one of this size.
 */
const MAX_REPLY_BYTES = 10_000_000;

/** What every function that reads or writes Redis needs: the REST address and token of an Upstash database. */
export const RedisEnv = z.object({
  UPSTASH_REDIS_REST_URL: UpstashUrl,
  UPSTASH_REDIS_REST_TOKEN: z.string().check(z.minLength(1)),
});

export type RedisEnv = z.infer<typeof RedisEnv>;

const Failure = z.object({ error: z.string() });

/**
 * A client of Upstash Redis over HTTP. It does not retry. Its errors contain no command, no value and no token.
 *
 * The client's own transport would be `fetch`, which takes more CPU time than all else of a warm read
 * (docs/decisions.md, "Speed").
 */
export function createRedis(env: RedisEnv): Redis {
  return new UpstashRedis(requester(env));
}

/** The constructor takes either a requester or options. */
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
      // With the token in the next request, a replica waits for the writes before it (https://upstash.com/docs/redis/howto/readyourwrites).
      const syncToken = reply.headers["upstash-sync-token"];
      if (typeof syncToken === "string") headers["upstash-sync-token"] = syncToken;
      return parsed;
    },
  };
}

/** `runPipeline` and the schemas of the replies check what it returns. */
function parseJson(text: string, status: number) {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's error quotes the text.
    throw new Error(`The reply with status ${status} is not JSON`);
  }
}
