import { readEnv } from "../lib/env.ts";
import { type ApiEvent, api } from "../lib/http/api.ts";
import { orderReply } from "../lib/http/order-reply.ts";
import { jsonBody, parseCaller, parseIdempotencyKey } from "../lib/http/request.ts";
import { createInventory, InventoryEnv } from "../lib/integrations/inventory.ts";
import { CompletionEnv } from "../lib/orders/completion-delay.ts";
import { parseOrderRequest } from "../lib/orders/order-request.ts";
import { type CompletionScheduler, placeOrder } from "../lib/orders/place-order.ts";
import { OrderRetentionEnv } from "../lib/orders/retention.ts";
import { createRedis, RedisEnv } from "../lib/redis/client.ts";

const dependencies = {
  redis: createRedis(readEnv(RedisEnv)),
  scheduler: readEnv(CompletionEnv).COMPLETION === "scheduler" ? loadScheduler() : undefined,
  inventory: createInventory(readEnv(InventoryEnv)),
  retentionDays: readEnv(OrderRetentionEnv).ORDER_RETENTION_DAYS,
};

async function createOrder(event: ApiEvent) {
  const input = {
    idempotencyKey: parseIdempotencyKey(event.headers["idempotency-key"]),
    caller: parseCaller(event.requestContext),
    request: parseOrderRequest(event.body),
    now: Date.now(),
  };
  const { order, replayed } = await placeOrder(dependencies, input);
  return orderReply(order, Date.now(), {
    location: `/orders/${order.pk}`,
    ...(replayed && { "idempotent-replayed": "true" }),
  });
}

/**
 * Imported only where it is used: loading and configuring the AWS client is more than half of a cold start. Not by a top-level
 * `await`, because `serverless invoke local` loads the handler with `require`. If it fails, the instance ends.
 */
function loadScheduler(): CompletionScheduler {
  const loading = import("../lib/integrations/completion-scheduler.ts").then((integration) =>
    integration.createCompletionScheduler(readEnv(integration.SchedulerEnv)),
  );
  return { schedule: async (pk, due) => (await loading).schedule(pk, due) };
}

export const handler = api(createOrder).use(jsonBody);
