import { z } from "zod";
import { createRedis, RedisEnv } from "../lib/redis/client.ts";
import { redisFailure } from "../lib/redis/commands.ts";
import { REFUND_STREAM } from "../lib/redis/keys.ts";
import { pairsOf } from "../lib/redis/pairs.ts";
import { invokeFunction, localEnvironment, type Settings } from "../local/settings.ts";
import { describeRedisError } from "./command.ts";

const REDIS_HINT =
  "start it with `npm start` in another terminal, or set ORDERS_UPSTASH_PORT, or UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, as for npm start";

const POLLER = "orders-dev-drainRefunds";
/** The time-out of the refund poller in serverless.yml, with 10 s to spare. */
const POLLER_TIMEOUT_MS = 60_000;

/** Stream entries as Redis sends them: an id, then fields and values in turn. */
const Entries = z.array(z.tuple([z.string(), z.array(z.string())]));

/**
 * What other services do in the database of `npm start`: they request refunds and read the streams. Every function throws a
 * `Failure` when the database cannot be used.
 */
export async function localRefunds(settings: Settings) {
  // Only the database's part of what the functions get is used: region and target do not matter.
  const env = RedisEnv.parse(localEnvironment(settings, "", ""));
  const redis = createRedis(env);
  const explain = (error: unknown): never => {
    throw describeRedisError(env.UPSTASH_REDIS_REST_URL, redisFailure(error), REDIS_HINT);
  };
  const [startSeconds] = await redis.time().catch(explain);
  return {
    /** @returns the id of the request */
    request: (pk: string): Promise<string> => redis.xadd(REFUND_STREAM, "*", { pk }).catch(explain),
    /** Runs the refund poller now. @returns false when that is not possible: its own timer runs it within 60 s */
    async runPoller(): Promise<boolean> {
      const signal = AbortSignal.timeout(POLLER_TIMEOUT_MS);
      const reply = await invokeFunction(settings, POLLER, { signal }).catch(() => undefined);
      return reply?.ok === true && !reply.headers.has("x-amz-function-error");
    },
    /** The entries of a stream that were written since this function was called, by the clock of Redis. */
    async entriesOf(stream: string): Promise<Record<string, string>[]> {
      const entries = Entries.parse(await redis.xrange(stream, `${startSeconds}000`, "+").catch(explain));
      return entries.map(([id, words]) => {
        const fields = pairsOf(words).map(([name, value = ""]) => [name, value] as const);
        return { ...Object.fromEntries(fields), id };
      });
    },
  };
}
