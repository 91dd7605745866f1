import type { Pipeline, Redis } from "@upstash/redis";
import pRetry from "p-retry";
import { OrderError } from "../errors.ts";
import { countMetric, durationMetric } from "../observability.ts";
import { isRefusal, redisFailure } from "./failure.ts";
import type { Script } from "./script.ts";

/**
 * Upstash may throttle (429), fail (5xx) or lose a reply; the client itself sends again on network errors at most. All of
 * that is retried here, with jitter, while a call is younger than `maxRetryTime`: with the time-out of its last attempt a
 * request ends within 4 seconds.
 */
const RETRY = { retries: 4, minTimeout: 50, maxTimeout: 400, randomize: true, maxRetryTime: 2_500 };

/** The longest that `runPipeline` takes, in ms: a request with retries, and a last one without, for lost scripts. */
export const MAX_PIPELINE_MS = 5_500;

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
  const replies = await pRetry(() => send(redis, commands, true), {
    ...RETRY,
    shouldRetry: ({ error }) => !isRefusal(error),
  });
  const lost = replies.flatMap(({ error }, index) => (error?.startsWith("NOSCRIPT") ? [index] : []));
  if (lost.length > 0) {
    const again = await send(
      redis,
      lost.flatMap((index) => commands[index] ?? []),
      false,
    );
    for (const [place, index] of lost.entries()) replies[index] = again[place] ?? {};
  }
  return replies.map(({ error, result }) => {
    if (error === undefined) return result;
    countMetric("RedisErrors");
    throw new OrderError("redis_failed", { cause: new Error(error) });
  });
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
