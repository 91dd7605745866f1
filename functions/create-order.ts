import { readEnv } from "../lib/env.ts";
import { type ApiEvent, api } from "../lib/http/api.ts";
import { orderReply } from "../lib/http/order-reply.ts";
import { parseCaller, parseIdempotencyKey, parseJsonBody } from "../lib/http/request.ts";
import { createCompletionScheduler, SchedulerEnv } from "../lib/integrations/completion-scheduler.ts";
import { createInventory, InventoryEnv } from "../lib/integrations/inventory.ts";
import { parseOrderRequest } from "../lib/orders/order-request.ts";
import { placeOrder } from "../lib/orders/place-order.ts";
import { OrderRetentionEnv } from "../lib/orders/retention.ts";
import { createRedis, RedisEnv } from "../lib/redis/client.ts";

const redis = createRedis(readEnv(RedisEnv));
const scheduler = createCompletionScheduler(readEnv(SchedulerEnv));
const inventory = createInventory(readEnv(InventoryEnv));
const { ORDER_RETENTION_DAYS } = readEnv(OrderRetentionEnv);

async function createOrder(event: ApiEvent) {
  const input = {
    idempotencyKey: parseIdempotencyKey(event.headers["idempotency-key"]),
    caller: parseCaller(event.requestContext),
    request: parseOrderRequest(parseJsonBody(event)),
    now: Date.now(),
  };
  const { order, replayed } = await placeOrder(redis, scheduler, input, inventory, ORDER_RETENTION_DAYS);
  return orderReply(order, Date.now(), {
    location: `/orders/${order.pk}`,
    ...(replayed && { "idempotent-replayed": "true" }),
  });
}

export const handler = api(createOrder);
