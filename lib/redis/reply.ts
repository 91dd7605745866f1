import type * as z from "zod/mini";
import { OrderError } from "../errors.ts";

/**
 * The border to Redis: a reply as its type, or an error that shows the shape's flaw and no stored value.
 * @throws OrderError `redis_replied_nonsense`
 */
export function parseReply<Reply extends z.ZodMiniType>(schema: Reply, reply: unknown): z.output<Reply> {
  const parsed = schema.safeParse(reply);
  if (!parsed.success) throw new OrderError("redis_replied_nonsense", { cause: parsed.error });
  return parsed.data;
}
