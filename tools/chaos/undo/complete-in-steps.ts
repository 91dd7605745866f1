import * as z from "zod/mini";
import { readEnv } from "../../../lib/env.ts";
import { job } from "../../../lib/job.ts";
import { DueOrder } from "../../../lib/orders/complete-orders.ts";
import { findOrder } from "../../../lib/orders/find-order.ts";
import { createRedis, RedisEnv } from "../../../lib/redis/client.ts";
import { type Command, runCommand } from "../../../lib/redis/commands.ts";
import { COMPLETED_STREAM, orderKey, PENDING_KEY } from "../../../lib/redis/keys.ts";

const redis = createRedis(readEnv(RedisEnv));

const command = (add: Command<unknown>["add"]) => runCommand(redis, { reply: z.unknown(), add });

/** As one would write it without a script: read, decide, write, announce, each a command of its own. */
export const handler = job(async (event: unknown) => {
  const { pk } = DueOrder.parse(event);
  const order = await findOrder(redis, pk);
  if (order.status !== "pending") return;
  const changes = { status: "completed", completed_at: new Date().toISOString() };
  await command((pipeline) => pipeline.hset(orderKey(pk), changes));
  await command((pipeline) => pipeline.xadd(COMPLETED_STREAM, "*", { ...order, ...changes }));
  await command((pipeline) => pipeline.zrem(PENDING_KEY, pk));
});
