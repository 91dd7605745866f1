import { createHash } from "node:crypto";
import type { Pipeline, Redis } from "@upstash/redis";
import pRetry, { type Options } from "p-retry";
import * as z from "zod/mini";
import { redacted, ServiceError } from "../errors.ts";
import { countMetric, durationMetric, type GaugeMetric, gaugeMetric, logger } from "../telemetry.ts";

/**
 * Upstash may throttle (429), fail (5xx) or lose a reply. All of that is retried here, with jitter, until `maxRetryTime`:
 * with the time-out of its last attempt a request ends within 4 seconds.
 */
const RETRY = { retries: 4, minTimeout: 50, maxTimeout: 400, randomize: true };

const FIRST_REQUEST = { ...RETRY, maxRetryTime: 2_500 };

const LOST_SCRIPTS = { ...RETRY, maxRetryTime: 1_000 };

/** The maximum duration of `runPipeline`, in ms: both requests, each with all its retries. */
export const MAX_PIPELINE_MS = 6_500;

/**
 * Temporary errors of a command: Redis loads its data, runs a long script, or fails over
 * (https://redis.io/docs/latest/develop/clients/error-handling/). Where Upstash throttles, the whole request is 429.
 */
const TRANSIENT = /^(LOADING|BUSY|READONLY|TRYAGAIN|MASTERDOWN|CLUSTERDOWN)\b/;

/** Upstash refuses the token. Retrying does not help. */
export const TOKEN_REFUSED = /^(WRONGPASS|NOPERM|NOAUTH|Unauthorized)/;

/** A Lua script and the hash by which Redis caches it. */
interface Script {
  readonly lua: string;
  readonly sha1: string;
}

/** A command of a pipeline and the schema of its reply. It must be idempotent: it is sent again when its reply was lost. */
export interface Command<Reply> {
  readonly reply: z.core.$ZodType<Reply>;
  /** @param cached whether the server's script cache should have the script */
  add(pipeline: Pipeline, cached: boolean): unknown;
}

/** The replies of a pipeline. */
export interface Replies {
  /**
   * What `command` replied. A command that failed throws only here, so that the other replies can be used.
   * @throws ServiceError `redis_failed`, its cause without the command's text; `redis_invalid_reply`
   */
  of<Reply>(command: Command<Reply>): Reply;
}

interface RawReply {
  readonly error?: string;
  readonly result?: unknown;
}

/** Hashes a script once, at cold start. */
export function script(lua: string): Script {
  return { lua, sha1: createHash("sha1").update(lua).digest("hex") };
}

/** The command that runs a script: by its hash, or by its text if the server does not know the hash. */
export function scriptCommand<Reply>(
  { lua, sha1 }: Script,
  reply: z.core.$ZodType<Reply>,
  keys: string[],
  args: (string | number)[],
): Command<Reply> {
  return {
    reply,
    add: (pipeline, cached) => (cached ? pipeline.evalsha(sha1, keys, args) : pipeline.eval(lua, keys, args)),
  };
}

/** Runs one command, as `runPipeline` does. */
export async function runCommand<Reply>(redis: Redis, command: Command<Reply>): Promise<Reply> {
  return (await runPipeline(redis, [command])).of(command);
}

/**
 * Runs commands in order, in one HTTP request. Scripts that the server's cache has lost (NOSCRIPT) run in a second one,
 * which is safe because no script depends on the order within a pipeline.
 * @throws ServiceError `redis_failed` when there is no reply
 */
export async function runPipeline(redis: Redis, commands: readonly Command<unknown>[]): Promise<Replies> {
  const replies = await sendWithRetry(redis, commands, true, FIRST_REQUEST);
  const lost = indexesOf(replies, ({ error }) => error?.startsWith("NOSCRIPT") === true);
  if (lost.length > 0) {
    const again = await sendWithRetry(redis, pick(commands, lost), false, LOST_SCRIPTS);
    for (const [place, index] of lost.entries()) replies[index] = again[place] ?? {};
  }
  return { of: (command) => parseReply(command.reply, replies[commands.indexOf(command)] ?? {}) };
}

/** Writes a gauge from a pipeline. If it cannot be read, that is logged, and the work and other gauges go on. */
export function reportGauge(metric: GaugeMetric, replies: Replies, command: Command<number>): void {
  try {
    gaugeMetric(metric, replies.of(command));
  } catch (error) {
    logger.error("A metric could not be read from Redis", { metric, error });
  }
}

/** Sends until no command has a transient error. Commands with a final reply are not sent again. */
async function sendWithRetry(
  redis: Redis,
  commands: readonly Command<unknown>[],
  cached: boolean,
  retry: Options,
): Promise<RawReply[]> {
  const replies: RawReply[] = [];
  let waiting = [...commands.keys()];
  async function attempt(): Promise<void> {
    const received = await send(redis, pick(commands, waiting), cached);
    for (const [place, index] of waiting.entries()) replies[index] = received[place] ?? {};
    waiting = indexesOf(replies, ({ error }) => error !== undefined && TRANSIENT.test(error));
    const [first] = pick(replies, waiting);
    if (first) throw redisFailure(new Error(first.error));
  }
  try {
    await pRetry(attempt, { ...retry, shouldRetry: ({ error }) => !isTokenRefused(error) });
  } catch (error) {
    // With replies, the caller sees the failure through `of`, and the replies of the other commands.
    if (replies.length === 0) throw error;
  }
  return replies;
}

async function send(redis: Redis, commands: readonly Command<unknown>[], cached: boolean): Promise<RawReply[]> {
  const pipeline = redis.pipeline();
  for (const command of commands) command.add(pipeline, cached);
  const startedAt = performance.now();
  try {
    const replies: RawReply[] = await pipeline.exec<unknown[]>({ keepErrors: true });
    countMetric("RedisErrors", replies.filter(({ error }) => error && !error.startsWith("NOSCRIPT")).length);
    return replies;
  } catch (error) {
    countMetric("RedisErrors");
    throw redisFailure(error);
  } finally {
    durationMetric("RedisLatency", performance.now() - startedAt);
  }
}

/** Parses a reply. The error of an invalid one names the schema's issue and no stored value. */
function parseReply<Reply>(schema: z.core.$ZodType<Reply>, { error, result }: RawReply): Reply {
  if (error !== undefined) throw new ServiceError("redis_failed", { cause: new Error(error) });
  const parsed = z.safeParse(schema, result);
  if (!parsed.success) throw new ServiceError("redis_invalid_reply", { cause: parsed.error });
  return parsed.data;
}

const indexesOf = (replies: readonly RawReply[], matches: (reply: RawReply) => boolean): number[] =>
  replies.flatMap((reply, index) => (matches(reply) ? [index] : []));

const pick = <Item>(items: readonly Item[], indexes: readonly number[]): Item[] =>
  indexes.flatMap((index) => items[index] ?? []);

/** Whether a retry cannot help. */
export function isTokenRefused(error: unknown): boolean {
  return error instanceof ServiceError && error.cause instanceof Error && TOKEN_REFUSED.test(error.cause.message);
}

/** The error of the Redis client as a domain error that is safe to log. */
export function redisFailure(error: unknown): ServiceError {
  return new ServiceError("redis_failed", { cause: redacted(error) });
}
