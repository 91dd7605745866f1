import { readEnv } from "../lib/env.ts";
import { job } from "../lib/job.ts";
import { CompletionEnv } from "../lib/orders/completion-delay.ts";
import { CompletedStreamEnv } from "../lib/orders/retention.ts";
import { sweepOrders as sweep } from "../lib/orders/sweep-orders.ts";
import { createRedis, RedisEnv } from "../lib/redis/client.ts";

const dependencies = {
  redis: createRedis(readEnv(RedisEnv)),
  completion: readEnv(CompletionEnv).COMPLETION,
  streamMaxLength: readEnv(CompletedStreamEnv).COMPLETED_STREAM_MAX_LENGTH,
  clock: Date.now,
};

async function sweepOrders() {
  await sweep(dependencies);
}

export const handler = job(sweepOrders);
