import { onTestFinished } from "vitest";
import type { TestRedisClient, useRedis } from "../../packages/upstash-rest-gateway/test/redis.ts";

export { type TestRedisClient, useOwnRedis, useRedis } from "../../packages/upstash-rest-gateway/test/redis.ts";

export type TestRedis = ReturnType<typeof useRedis>;

/**
 * Has Redis refuse a command to everybody, as Upstash refuses writes to a full record, until the test ends.
 * @returns allows it again
 */
export async function forbid(client: TestRedisClient, command: string): Promise<() => Promise<void>> {
  async function allow(): Promise<void> {
    await client.sendCommand(["ACL", "SETUSER", "default", `+${command}`]);
  }
  await client.sendCommand(["ACL", "SETUSER", "default", `-${command}`]);
  onTestFinished(allow);
  return allow;
}
