import { startGatewayThread } from "upstash-rest-gateway";
import { READ_ONLY_TOKEN, TOKEN } from "./environment.ts";
import { type RedisServer, startRedis } from "./redis/server.ts";
import type { Settings } from "./settings.ts";
import { assertRedisAnswers, assertUpstashAnswers } from "./user-database.ts";

export interface Database {
  /** One line a part, for people. */
  readonly addresses: readonly string[];
  /** Ends what was started, and nothing else. */
  stop(): Promise<void>;
}

/**
 * The database of the settings: the user's own at Upstash, the user's own Redis behind the gateway, or a private Redis.
 * @throws Error in one line when no Redis can be had, or the user's own does not answer as it must
 */
export async function startDatabase(settings: Settings): Promise<Database> {
  if (settings.UPSTASH_REDIS_REST_URL) {
    await assertUpstashAnswers(settings.UPSTASH_REDIS_REST_URL, settings.UPSTASH_REDIS_REST_TOKEN ?? "");
    return { addresses: [`Upstash REST  ${settings.UPSTASH_REDIS_REST_URL} (yours)`], stop: async () => {} };
  }
  if (settings.REDIS_URL) await assertRedisAnswers(settings.REDIS_URL);
  const redis = settings.REDIS_URL ? undefined : await startPrivateRedis(settings);
  const redisUrl = settings.REDIS_URL ?? redis?.url ?? "";
  const gateway = await startGatewayThread({
    redisUrl,
    port: settings.ORDERS_UPSTASH_PORT,
    token: TOKEN,
    readOnlyToken: READ_ONLY_TOKEN,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  return {
    addresses: [
      `Upstash REST  ${gateway.url}  token ${TOKEN}, read-only token ${READ_ONLY_TOKEN}`,
      redis ? `Redis         ${redis.url}  process ${redis.pid}` : "Redis         the one of REDIS_URL",
    ],
    stop: async () => {
      await gateway.stop();
      await redis?.stop();
    },
  };
}

async function startPrivateRedis(settings: Settings): Promise<RedisServer> {
  const redis = await startRedis({
    ...(settings.ORDERS_REDIS_PORT !== undefined && { port: settings.ORDERS_REDIS_PORT }),
    ...(settings.ORDERS_DATA_DIR !== undefined && { dataDir: settings.ORDERS_DATA_DIR }),
  });
  let stopping = false;
  void redis.exited.then(() => {
    if (!stopping) process.stderr.write(`Redis is gone. To bring it back as it was: ${redis.command}\n`);
  });
  return {
    ...redis,
    stop: () => {
      stopping = true;
      return redis.stop();
    },
  };
}
