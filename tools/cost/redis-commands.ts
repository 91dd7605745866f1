import type { RedisClient } from "../bench/stack.ts";

/** How often each command ran, by its name. */
export type Commands = Readonly<Record<string, number>>;

/** What connections send for themselves, and the question for these numbers: no function's doing. */
const HOUSEKEEPING = /^(hello|info|auth|select|ping|command|client\|.+|config\|.+)$/;

const STATISTIC = /^cmdstat_(?<name>[^:]+):calls=(?<calls>\d+)/gm;

/**
 * What the server has run since its start as Upstash bills it: a script, and each command in it
 * (https://upstash.com/docs/redis/sdks/ratelimit-ts/costs).
 */
export async function commandsOf(redis: RedisClient): Promise<Commands> {
  return parseCommandStats(await redis.info("commandstats"));
}

/** @param text the reply to `INFO commandstats` (https://redis.io/docs/latest/commands/info/) */
export function parseCommandStats(text: string): Commands {
  const entries = [...text.matchAll(STATISTIC)].map(
    ({ groups }) => [groups?.name ?? "", Number(groups?.calls)] as const,
  );
  return Object.fromEntries(entries.filter(([name]) => !HOUSEKEEPING.test(name)));
}

/** What ran between two looks; what did not is left out. */
export function difference(before: Commands, after: Commands): Commands {
  const entries = Object.entries(after).map(([name, calls]) => [name, calls - (before[name] ?? 0)] as const);
  return Object.fromEntries(entries.filter(([, calls]) => calls > 0));
}

export function sum(all: readonly Commands[]): Commands {
  const total: Record<string, number> = {};
  for (const commands of all) {
    for (const [name, calls] of Object.entries(commands)) total[name] = (total[name] ?? 0) + calls;
  }
  return total;
}

export const countOf = (commands: Commands): number =>
  Object.values(commands).reduce((total, calls) => total + calls, 0);
