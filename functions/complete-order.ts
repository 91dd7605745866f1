import { readEnv } from "../lib/env/read.ts";
import { RedisEnv } from "../lib/env/redis.ts";
import { job } from "../lib/job.ts";
import { completeOrder as complete } from "../lib/orders/complete-order.ts";
import { DueOrder } from "../lib/orders/complete-orders.ts";
import { createRedis } from "../lib/redis/client.ts";

const redis = createRedis(readEnv(RedisEnv));

async function completeOrder(event: unknown) {
  await complete(redis, DueOrder.parse(event), Date.now());
}

export const handler = job(completeOrder);
