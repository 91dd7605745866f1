import type * as original from "../../../lib/orders/complete-order.ts";
import { COMPLETED_STREAM, orderKey, PENDING_KEY } from "../../../lib/redis/keys.ts";
import { runPipeline } from "../../../lib/redis/pipeline.ts";

/** As one would write it without a script: read, decide, write, announce, each a command of its own. */
export const completeOrder: typeof original.completeOrder = async (redis, { pk }, now) => {
  const key = orderKey(pk);
  const completed_at = new Date(now).toISOString();
  const [fields] = await runPipeline(redis, [(pipeline) => pipeline.hgetall(key)]);
  const values = fields as string[];
  const order = Object.fromEntries(
    values.flatMap((name, index) => (index % 2 === 0 ? [[name, values[index + 1]]] : [])),
  );
  if (order.status !== "pending") return;
  await runPipeline(redis, [(pipeline) => pipeline.hset(key, { status: "completed", completed_at })]);
  const entry = { ...order, status: "completed", completed_at };
  await runPipeline(redis, [(pipeline) => pipeline.xadd(COMPLETED_STREAM, "*", entry)]);
  await runPipeline(redis, [(pipeline) => pipeline.zrem(PENDING_KEY, pk)]);
};
