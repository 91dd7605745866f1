import { Redis } from "@upstash/redis";
import type { RedisEnv } from "../env.ts";

/** A whole call may take so long, its retries and their pauses included; the client has no time-out of its own. */
const CALL_TIMEOUT_MS = 2_000;

/**
 * The client of Upstash Redis over HTTP. Why each setting is there:
 * - `automaticDeserialization: false`: else the product id "123" comes back as a number;
 * - `enableAutoPipelining: false`: an awaited call is one request, sent now;
 * - `signal` as a function: with a plain signal the client *resolves* an aborted call with rubbish;
 * - `retry`: the client's default is 6 sends within a minute. It sends again on network errors only, which every script
 *   must bear: the first send may have run.
 */
export function createRedis(env: RedisEnv): Redis {
  return new Redis({
    url: env.UPSTASH_REDIS_REST_URL,
    token: env.UPSTASH_REDIS_REST_TOKEN,
    automaticDeserialization: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    signal: () => AbortSignal.timeout(CALL_TIMEOUT_MS),
    retry: { retries: 2, backoff: (attempt) => 100 * 2 ** attempt },
  });
}
