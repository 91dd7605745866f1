import type { Pipeline, Redis } from "@upstash/redis";
import { OrderError } from "../errors.ts";
import { redisFailure } from "./failure.ts";
import type { Script } from "./script.ts";

/** One command of a pipeline, told whether it may rely on the server's script cache. */
export type Command = (pipeline: Pipeline, cached: boolean) => unknown;

/** The command that runs a script: by its hash, or by its whole text where the server does not know the hash. */
export const scriptCommand =
  (script: Script, keys: string[], args: (string | number)[]): Command =>
  (pipeline, cached) =>
    cached ? pipeline.evalsha(script.sha1, keys, args) : pipeline.eval(script.lua, keys, args);

/**
 * Runs commands in order, in one HTTP request; scripts that the server's cache has lost (NOSCRIPT) run in a second one,
 * which is safe as every script may run after its neighbours.
 * @returns the reply of each command, in the order given
 * @throws OrderError `redis_failed`, its cause without the command's text
 */
export async function runPipeline(redis: Redis, commands: readonly Command[]): Promise<unknown[]> {
  const replies = await execute(redis, commands, true);
  const uncached = replies.flatMap(({ error }, index) => (error?.startsWith("NOSCRIPT") ? [index] : []));
  if (uncached.length > 0) {
    const again = await execute(
      redis,
      uncached.flatMap((index) => commands[index] ?? []),
      false,
    );
    for (const [place, index] of uncached.entries()) replies[index] = again[place] ?? {};
  }
  return replies.map(({ error, result }) => {
    if (error) throw new OrderError("redis_failed", { cause: new Error(error) });
    return result;
  });
}

async function execute(redis: Redis, commands: readonly Command[], cached: boolean): Promise<Reply[]> {
  const pipeline = redis.pipeline();
  for (const command of commands) command(pipeline, cached);
  try {
    return await pipeline.exec<unknown[]>({ keepErrors: true });
  } catch (error) {
    throw redisFailure(error);
  }
}

interface Reply {
  readonly error?: string;
  readonly result?: unknown;
}
