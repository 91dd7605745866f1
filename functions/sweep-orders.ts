import { readEnv } from "../lib/env.ts";
import { job } from "../lib/job.ts";
import { CompletionEnv } from "../lib/orders/completion-delay.ts";
import { CompletedStreamEnv } from "../lib/orders/retention.ts";
import { sweepOrders as sweep } from "../lib/orders/sweep-orders.ts";
import { createRedis, RedisEnv } from "../lib/redis/client.ts";

const redis = createRedis(readEnv(RedisEnv));
const { COMPLETION: completion } = readEnv(CompletionEnv);
const { COMPLETED_STREAM_MAX_LENGTH: streamMaxLength } = readEnv(CompletedStreamEnv);

async function sweepOrders() {
  await sweep({ redis, completion, streamMaxLength, clock: Date.now });
}

export const handler = job(sweepOrders);
