import { createClient, ErrorReply } from "@redis/client";
import { startGatewayThread } from "upstash-rest-gateway";
import { z } from "zod";
import { reasonOf } from "./error-reason.ts";
import { isNewEnough } from "./redis/find-redis.ts";
import { type RedisServer, startRedis } from "./redis/redis-server.ts";
import { READ_ONLY_TOKEN, type Settings, TOKEN } from "./settings.ts";

/** Enough for a first connection around the world. */
const MAX_WAIT_MS = 5_000;

/** It changes nothing, and Upstash refuses it to a read-only token. */
const PROBE = ["EVAL", "return 1", "0"];

const UpstashError = z.object({ error: z.string() });

/** Redis's errors for a wrong user or password. It refuses connections for other reasons too, such as LOADING. */
const LOGIN_ERROR = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH)/;

export interface Database {
  /** One line for each part, for people. */
  readonly addresses: readonly string[];
  /** The process of the private Redis, where there is one. */
  readonly redisPid: number | undefined;
  /** Stops what this module started, and nothing else. */
  stop(): Promise<void>;
}

/**
 * The database of the settings: the user's own at Upstash, the user's own Redis behind the gateway, or a private Redis.
 * @throws Error in one line when no Redis is available, or the user's own fails its check
 */
export async function startDatabase(settings: Settings): Promise<Database> {
  if (settings.UPSTASH_REDIS_REST_URL) {
    await assertUpstashAnswers(settings.UPSTASH_REDIS_REST_URL, settings.UPSTASH_REDIS_REST_TOKEN ?? "");
    return {
      addresses: [`Upstash REST  ${settings.UPSTASH_REDIS_REST_URL} (yours)`],
      redisPid: undefined,
      stop: async () => {},
    };
  }
  if (settings.REDIS_URL) await assertRedisAnswers(settings.REDIS_URL);
  const redis = settings.REDIS_URL ? undefined : await startPrivateRedis(settings);
  const gateway = await startGatewayThread({
    redisUrl: settings.REDIS_URL ?? redis?.url ?? "",
    port: settings.ORDERS_UPSTASH_PORT,
    token: TOKEN,
    readOnlyToken: READ_ONLY_TOKEN,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  return {
    redisPid: redis?.pid,
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
    if (stopping) return;
    const data = settings.ORDERS_DATA_DIR ? "kept" : "lost (ORDERS_DATA_DIR would keep it)";
    process.stderr.write(`Redis stopped unexpectedly. Its data is ${data}. Start it again with: ${redis.command}\n`);
  });
  return {
    ...redis,
    stop: () => {
      stopping = true;
      return redis.stop();
    },
  };
}

/**
 * Makes sure that the user's own Upstash database answers and that the token may write.
 * @throws Error in one line that names the variable to fix
 */
export async function assertUpstashAnswers(url: string, token: string): Promise<void> {
  const { status, text } = await probe(url, token).catch((cause: unknown) => {
    const remedy = "correct UPSTASH_REDIS_REST_URL, or unset it and UPSTASH_REDIS_REST_TOKEN to use a local Redis";
    throw new Error(`Nothing answers at ${url} (${reasonOf(cause)}): ${remedy}`, { cause });
  });
  if (status === 200) return;
  if (status === 401) {
    const remedy = "copy UPSTASH_REDIS_REST_TOKEN from the database's page in Upstash's console again";
    throw new Error(`The token is refused at ${url}: ${remedy}`);
  }
  if (text.includes("NOPERM")) {
    throw new Error(`The token may only read at ${url}: set UPSTASH_REDIS_REST_TOKEN to the standard one`);
  }
  const reason = upstashErrorIn(text);
  if (reason) throw new Error(`The database at ${url} refuses requests (${reason}): see Upstash's console`);
  throw new Error(`What answers at ${url} is no Upstash database (status ${status}): correct UPSTASH_REDIS_REST_URL`);
}

async function probe(url: string, token: string): Promise<{ status: number; text: string }> {
  const reply = await fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(PROBE),
    signal: AbortSignal.timeout(MAX_WAIT_MS),
  });
  return { status: reply.status, text: await reply.text() };
}

function upstashErrorIn(text: string): string | undefined {
  try {
    return UpstashError.parse(JSON.parse(text)).error;
  } catch {
    return undefined;
  }
}

/**
 * Makes sure that the user's own Redis answers and has every command that the scripts use.
 * @throws Error in one line that says what to do; it has the host, never the password
 */
export async function assertRedisAnswers(url: string, maxWaitMs = MAX_WAIT_MS): Promise<void> {
  const { host } = new URL(url);
  const info = await serverInfo(url, maxWaitMs).catch((cause: unknown) => {
    if (cause instanceof ErrorReply) {
      const remedy = LOGIN_ERROR.test(cause.message)
        ? "correct the user and the password in REDIS_URL"
        : "fix that, or unset REDIS_URL to use a local Redis";
      throw new Error(`The Redis at ${host} refuses the connection (${cause.message}): ${remedy}`, { cause });
    }
    const remedy = "start it, correct REDIS_URL, or unset it to use a local Redis";
    throw new Error(`No Redis answers at ${host} (${reasonOf(cause)}): ${remedy}`, { cause });
  });
  const version = /^redis_version:(.+)$/m.exec(info)?.[1]?.trim() ?? "";
  if (!isNewEnough(version)) {
    throw new Error(`The Redis at ${host} is version ${version}: set REDIS_URL to one of 7.0 or newer, or unset it`);
  }
}

async function serverInfo(url: string, maxWaitMs: number): Promise<string> {
  const client = createClient({
    url,
    // RESP2, which an old Redis understands too, so that its version can be read.
    RESP: 2,
    disableClientInfo: true,
    maintNotifications: "disabled",
    socket: { reconnectStrategy: false, connectTimeout: maxWaitMs },
  });
  // connect() rejects with the same error.
  client.on("error", () => undefined);
  // Another program on the port may accept the connection and never answer.
  const late = setTimeout(() => client.destroy(), maxWaitMs);
  try {
    await client.connect();
    return await client.info("server");
  } finally {
    clearTimeout(late);
    if (client.isOpen) client.destroy();
  }
}
