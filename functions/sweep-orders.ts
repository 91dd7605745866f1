import type { Context } from "aws-lambda";
import { readEnv } from "../lib/env.ts";
import { job } from "../lib/job.ts";
import { CompletedStreamEnv } from "../lib/orders/retention.ts";
import { sweepOrders as sweep } from "../lib/orders/sweep-orders.ts";
import { createRedis, RedisEnv } from "../lib/redis/client.ts";

const redis = createRedis(readEnv(RedisEnv));
const { COMPLETED_STREAM_MAX_LENGTH } = readEnv(CompletedStreamEnv);

async function sweepOrders(_event: unknown, context: Context) {
  await sweep(redis, Date.now, COMPLETED_STREAM_MAX_LENGTH, () => context.getRemainingTimeInMillis());
}

export const handler = job(sweepOrders);
