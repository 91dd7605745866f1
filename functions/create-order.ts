import { completionTimer } from "../lib/completion-timer.ts";
import { InventoryEnv } from "../lib/env/inventory.ts";
import { OrderRetentionEnv } from "../lib/env/order-retention.ts";
import { readEnv } from "../lib/env/read.ts";
import { RedisEnv } from "../lib/env/redis.ts";
import { SchedulerEnv } from "../lib/env/scheduler.ts";
import { type ApiEvent, api } from "../lib/http/api.ts";
import { parseJsonBody } from "../lib/http/json-body.ts";
import { parseCaller, parseIdempotencyKey, parseOrderRequest } from "../lib/http/parse.ts";
import { jsonReply } from "../lib/http/reply.ts";
import { productInventory } from "../lib/inventory.ts";
import { placeOrder } from "../lib/orders/place-order.ts";
import { createRedis } from "../lib/redis/client.ts";

const redis = createRedis(readEnv(RedisEnv));
const timer = completionTimer(readEnv(SchedulerEnv));
const inventory = productInventory(readEnv(InventoryEnv));
const { ORDER_RETENTION_DAYS } = readEnv(OrderRetentionEnv);

async function createOrder(event: ApiEvent) {
  const placing = {
    idempotencyKey: parseIdempotencyKey(event.headers["idempotency-key"]),
    caller: parseCaller(event.requestContext),
    request: parseOrderRequest(parseJsonBody(event)),
    now: Date.now(),
  };
  const { order, replayed } = await placeOrder(redis, timer, placing, inventory, ORDER_RETENTION_DAYS);
  return jsonReply(order, {
    location: `/orders/${order.pk}`,
    ...(replayed && { "idempotent-replayed": "true" }),
  });
}

export const handler = api(createOrder);
