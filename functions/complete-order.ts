import { readEnv } from "../lib/env.ts";
import { job } from "../lib/job.ts";
import { completeOrder as complete, DueOrder } from "../lib/orders/complete-orders.ts";
import { CompletedStreamEnv } from "../lib/orders/retention.ts";
import { createRedis, RedisEnv } from "../lib/redis/client.ts";

const redis = createRedis(readEnv(RedisEnv));
const { COMPLETED_STREAM_MAX_LENGTH } = readEnv(CompletedStreamEnv);

async function completeOrder(event: unknown) {
  await complete(redis, DueOrder.parse(event), Date.now(), COMPLETED_STREAM_MAX_LENGTH);
}

export const handler = job(completeOrder);
