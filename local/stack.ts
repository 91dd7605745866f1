import { assertPortsFree } from "./ports.ts";
import { type RedisServer, startRedis } from "./redis/server.ts";
import { startScheduler } from "./scheduler/server.ts";
import type { Settings } from "./settings.ts";
import { startUpstashGateway } from "./upstash/gateway.ts";

const TOKEN = "local";
const READ_ONLY_TOKEN = "local-readonly";
const SCHEDULE_GROUP = "orders-local-completions";

/** As AWS writes them: the stand-in takes the function's name from the target, and checks the others' form. */
const ACCOUNT = "000000000000";

export interface Stack {
  /** One line a part, for people. */
  readonly addresses: readonly string[];
  stop(): Promise<void>;
}

interface Database {
  readonly addresses: readonly string[];
  stop(): Promise<void>;
}

/**
 * Starts what stands in for Upstash and EventBridge Scheduler, on loopback only.
 * @param settings where; a database of the user's own is used and never stopped
 * @throws Error in one line when a port is taken or no Redis can be had
 */
export async function startStack(settings: Settings): Promise<Stack> {
  await assertPortsFree(wantedPorts(settings));
  const database = await startDatabase(settings);
  const scheduler = await startScheduler({
    port: settings.ORDERS_SCHEDULER_PORT,
    lambdaUrl: `http://127.0.0.1:${settings.ORDERS_LAMBDA_PORT}`,
    groups: [SCHEDULE_GROUP],
    maxDelayMs: settings.ORDERS_SCHEDULER_MAX_DELAY_MS,
    deliverTwice: settings.ORDERS_SCHEDULER_DELIVER_TWICE,
  });
  return {
    addresses: [`Scheduler     ${scheduler.url}`, ...database.addresses],
    stop: async () => {
      await scheduler.stop();
      await database.stop();
    },
  };
}

/**
 * What the functions find in their environment when they run on one machine. Whatever of AWS's own variables could lead
 * to a real account is overridden.
 * @param targetFunction the name of the function that completes an order
 */
export function localEnvironment(settings: Settings, region: string, targetFunction: string): Record<string, string> {
  return {
    UPSTASH_REDIS_REST_URL: settings.UPSTASH_REDIS_REST_URL ?? `http://127.0.0.1:${settings.ORDERS_UPSTASH_PORT}`,
    UPSTASH_REDIS_REST_TOKEN: settings.UPSTASH_REDIS_REST_TOKEN ?? TOKEN,
    SCHEDULE_GROUP,
    SCHEDULE_TARGET_ARN: `arn:aws:lambda:${region}:${ACCOUNT}:function:${targetFunction}`,
    SCHEDULE_ROLE_ARN: `arn:aws:iam::${ACCOUNT}:role/local`,
    SCHEDULE_DEAD_LETTER_ARN: `arn:aws:sqs:${region}:${ACCOUNT}:local`,
    AWS_ENDPOINT_URL_SCHEDULER: `http://127.0.0.1:${settings.ORDERS_SCHEDULER_PORT}`,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_SESSION_TOKEN: "",
  };
}

async function startDatabase(settings: Settings): Promise<Database> {
  if (settings.UPSTASH_REDIS_REST_URL) {
    return { addresses: [`Upstash REST  ${settings.UPSTASH_REDIS_REST_URL} (yours)`], stop: async () => {} };
  }
  const redis = settings.REDIS_URL ? undefined : await startPrivateRedis(settings);
  const redisUrl = settings.REDIS_URL ?? redis?.url ?? "";
  const gateway = await startUpstashGateway({
    redisUrl,
    port: settings.ORDERS_UPSTASH_PORT,
    token: TOKEN,
    readOnlyToken: READ_ONLY_TOKEN,
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

function wantedPorts(settings: Settings) {
  const ports = [
    { port: settings.ORDERS_API_PORT, what: "the API", variable: "ORDERS_API_PORT" },
    { port: settings.ORDERS_LAMBDA_PORT, what: "Lambda invoke", variable: "ORDERS_LAMBDA_PORT" },
    { port: settings.ORDERS_SCHEDULER_PORT, what: "the Scheduler", variable: "ORDERS_SCHEDULER_PORT" },
  ];
  if (!settings.UPSTASH_REDIS_REST_URL) {
    ports.push({ port: settings.ORDERS_UPSTASH_PORT, what: "Upstash REST", variable: "ORDERS_UPSTASH_PORT" });
    if (settings.ORDERS_REDIS_PORT && !settings.REDIS_URL) {
      ports.push({ port: settings.ORDERS_REDIS_PORT, what: "Redis", variable: "ORDERS_REDIS_PORT" });
    }
  }
  return ports;
}
