import { findRedis } from "../../local/redis/find-redis.ts";

/** Finds or installs Redis once, before the workers start: they would all do it at the same time. */
export default async function setup(): Promise<void> {
  await findRedis((line) => process.stderr.write(`${line}\n`));
}
