import type { Pipeline, Redis } from "@upstash/redis";
import pRetry, { type Options } from "p-retry";
import { OrderError } from "../errors.ts";
import { countMetric, durationMetric } from "../observability.ts";
import { isRefusal, redisFailure } from "./failure.ts";
import type { Script } from "./script.ts";

/**
 * Upstash may throttle (429), fail (5xx) or lose a reply; the client itself sends again on network errors at most. All of
 * that is retried here, with jitter, while a call is younger than `maxRetryTime`: with the time-out of its last attempt a
 * request ends within 4 seconds.
 */
const RETRY = { retries: 4, minTimeout: 50, maxTimeout: 400, randomize: true };
const FIRST_REQUEST = { ...RETRY, maxRetryTime: 2_500 };
const LOST_SCRIPTS = { ...RETRY, maxRetryTime: 1_000 };

/** The longest that `runPipeline` takes, in ms: both requests, each with all its retries. */
export const MAX_PIPELINE_MS = 6_500;

/** One command of a pipeline, told whether it may rely on the server's script cache. */
export type Command = (pipeline: Pipeline, cached: boolean) => unknown;

interface Reply {
  readonly error?: string;
  readonly result?: unknown;
}

/** The command that runs a script: by its hash, or by its whole text where the server does not know the hash. */
export const scriptCommand =
  (script: Script, keys: string[], args: (string | number)[]): Command =>
  (pipeline, cached) =>
    cached ? pipeline.evalsha(script.sha1, keys, args) : pipeline.eval(script.lua, keys, args);

/**
 * Runs commands in order, in one HTTP request; scripts that the server's cache has lost (NOSCRIPT) run in a second one,
 * which is safe as every script may run after its neighbours. Every command must bear to run twice: a request whose
 * reply was lost is sent again.
 * @returns the reply of each command, in the order given
 * @throws OrderError `redis_failed`, its cause without the command's text
 */
export async function runPipeline(redis: Redis, commands: readonly Command[]): Promise<unknown[]> {
  const replies = await sendUntilHeard(redis, commands, true, FIRST_REQUEST);
  const lost = replies.flatMap(({ error }, index) => (error?.startsWith("NOSCRIPT") ? [index] : []));
  if (lost.length > 0) {
    const lostCommands = lost.flatMap((index) => commands[index] ?? []);
    const again = await sendUntilHeard(redis, lostCommands, false, LOST_SCRIPTS);
    for (const [place, index] of lost.entries()) replies[index] = again[place] ?? {};
  }
  return replies.map(({ error, result }) => {
    if (error === undefined) return result;
    countMetric("RedisErrors");
    throw new OrderError("redis_failed", { cause: new Error(error) });
  });
}

function sendUntilHeard(redis: Redis, commands: readonly Command[], cached: boolean, retry: Options): Promise<Reply[]> {
  return pRetry(() => send(redis, commands, cached), { ...retry, shouldRetry: ({ error }) => !isRefusal(error) });
}

async function send(redis: Redis, commands: readonly Command[], cached: boolean): Promise<Reply[]> {
  const pipeline = redis.pipeline();
  for (const command of commands) command(pipeline, cached);
  const begun = performance.now();
  try {
    return await pipeline.exec<unknown[]>({ keepErrors: true });
  } catch (error) {
    countMetric("RedisErrors");
    throw redisFailure(error);
  } finally {
    durationMetric("RedisLatency", performance.now() - begun);
  }
}
