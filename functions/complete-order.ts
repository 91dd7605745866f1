import { readEnv } from "../lib/env.ts";
import { job } from "../lib/job.ts";
import { completeOrder as complete, DueOrder } from "../lib/orders/complete-orders.ts";
import { CompletedStreamEnv } from "../lib/orders/retention.ts";
import { createRedis, RedisEnv } from "../lib/redis/client.ts";

const dependencies = {
  redis: createRedis(readEnv(RedisEnv)),
  streamMaxLength: readEnv(CompletedStreamEnv).COMPLETED_STREAM_MAX_LENGTH,
};

async function completeOrder(event: unknown) {
  await complete(dependencies, DueOrder.parse(event), Date.now());
}

export const handler = job(completeOrder);
