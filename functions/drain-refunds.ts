import type { Context } from "aws-lambda";
import { readEnv } from "../lib/env.ts";
import { job } from "../lib/job.ts";
import { createRedis, RedisEnv } from "../lib/redis/client.ts";
import { drainRefunds as drain } from "../lib/refunds/drain-refunds.ts";

const redis = createRedis(readEnv(RedisEnv));

async function drainRefunds(_event: unknown, context: Context) {
  await drain(redis, Date.now, () => context.getRemainingTimeInMillis());
}

export const handler = job(drainRefunds);
