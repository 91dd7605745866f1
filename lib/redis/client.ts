import { Redis } from "@upstash/redis";
import type { RedisEnv } from "../env/redis.ts";

/** One request may take so long; the client has no time-out of its own. */
const REQUEST_TIMEOUT_MS = 1_500;

/**
 * The client of Upstash Redis over HTTP. Why each setting is there:
 * - `automaticDeserialization: false`: else the product id "123" comes back as a number;
 * - `responseEncoding: false`: what comes in base64 the client decodes without its leading byte order mark;
 * - `enableAutoPipelining: false`: an awaited call is one request, sent now;
 * - `signal` as a function: with a plain signal the client *resolves* an aborted call with rubbish;
 * - `retry`: the client would retry network errors only, with one signal for all attempts; `runPipeline` retries all.
 */
export function createRedis(env: RedisEnv): Redis {
  loadFetch();
  return new Redis({
    url: env.UPSTASH_REDIS_REST_URL,
    token: env.UPSTASH_REDIS_REST_TOKEN,
    automaticDeserialization: false,
    responseEncoding: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    signal: () => AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    retry: { retries: 0 },
  });
}

/**
 * Node loads its `fetch` when a part of it is first used, which takes 20 ms of CPU: 140 ms at the seventh of a CPU
 * that 256 MB get. Here that is part of the init phase, which Lambda often runs before there is a request ("proactive
 * initialization", https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html).
 */
function loadFetch(): void {
  new Headers();
}
