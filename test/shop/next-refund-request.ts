import { onTestFinished } from "vitest";
import { z } from "zod";
import { REFUND_STREAM } from "../../lib/redis/keys.ts";
import type { Shop } from "./open.ts";

/** What a read of a stream gives that waited for one entry. */
const Requested = z.tuple([z.object({ messages: z.tuple([z.object({ message: z.record(z.string(), z.string()) })]) })]);

/**
 * The next refund request, in the moment in which it comes: the poller takes it away.
 * @param timeoutMs for it to come
 */
export async function nextRefundRequest(
  redis: Shop["redis"],
  timeoutMs: number,
): Promise<{ readonly came: Promise<unknown> }> {
  const reader = redis.duplicate();
  await reader.connect();
  onTestFinished(() => reader.destroy());
  const reading = reader.xRead({ key: REFUND_STREAM, id: "$" }, { BLOCK: timeoutMs });
  return { came: reading.then((streams) => Requested.parse(streams)[0].messages[0].message) };
}
