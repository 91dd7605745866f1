import { type Machine, type Say, thisMachine, type Way } from "./machine.ts";
import { apt } from "./ways/apt.ts";
import { builtEarlier } from "./ways/built-earlier.ts";
import { onPath } from "./ways/on-path.ts";
import { sourceBuild } from "./ways/source-build.ts";

/** In this order: what is there already, then the quick install, then the slow build. */
const WAYS: readonly Way[] = [onPath, builtEarlier, apt, sourceBuild];

const HELP = `Do one of these and start again:
  - install redis-server or valkey-server 7.0 or newer, so that it is on PATH
  - set REDIS_URL to a Redis that runs already
  - set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN to use an Upstash database
  - install make and a C compiler, with network access to download.redis.io: Redis is then built here`;

/**
 * The path of a redis-server or valkey-server 7.0 or newer on this machine, installed or built if need be.
 *
 * @param say gets one line before every slow step and one for every server that is passed over
 * @param machine the machine to look at, this one by default
 * @throws AggregateError when every way fails: its message ends in what a person can do, its `errors` say what was tried
 */
export async function redisBinary(say: Say, machine: Machine = thisMachine()): Promise<string> {
  const failures: Error[] = [];
  for (const way of WAYS) {
    try {
      const binary = await way(machine, say);
      if (binary !== undefined) return binary;
    } catch (error) {
      failures.push(error instanceof Error ? error : new Error(String(error)));
    }
  }
  const tried = failures.map((failure) => `  - ${failure.message}`).join("\n");
  throw new AggregateError(
    failures,
    `No Redis 7.0 or newer was found, and none could be installed:\n${tried}\n${HELP}`,
  );
}
