import { readEnv } from "../lib/env.ts";
import { type ApiEvent, api } from "../lib/http/api.ts";
import { orderReply } from "../lib/http/order-reply.ts";
import { findOrder } from "../lib/orders/find-order.ts";
import { createRedis, RedisEnv } from "../lib/redis/client.ts";

const redis = createRedis(readEnv(RedisEnv));

async function getOrder(event: ApiEvent) {
  const order = await findOrder(redis, event.pathParameters?.pk ?? "");
  return orderReply(order, Date.now());
}

export const handler = api(getOrder);
