import { readEnv } from "../lib/env.ts";
import { type ApiEvent, api, jsonReply } from "../lib/http/api.ts";
import { findOrder } from "../lib/orders/find-order.ts";
import { createRedis, RedisEnv } from "../lib/redis/client.ts";

const redis = createRedis(readEnv(RedisEnv));

async function getOrder(event: ApiEvent) {
  return jsonReply(await findOrder(redis, event.pathParameters?.pk ?? ""));
}

export const handler = api(getOrder);
