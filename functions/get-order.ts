import { readEnv } from "../lib/env/read.ts";
import { RedisEnv } from "../lib/env/redis.ts";
import { type ApiEvent, api } from "../lib/http/api.ts";
import { jsonReply } from "../lib/http/reply.ts";
import { findOrder } from "../lib/orders/find-order.ts";
import { createRedis } from "../lib/redis/client.ts";

const redis = createRedis(readEnv(RedisEnv));

async function getOrder(event: ApiEvent) {
  return jsonReply(await findOrder(redis, event.pathParameters?.pk ?? ""));
}

export const handler = api(getOrder);
