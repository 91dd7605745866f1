import { REFUND_GROUP, REFUND_STREAM } from "../../../lib/redis/keys.ts";
import { runPipeline } from "../../../lib/redis/pipeline.ts";
import type * as original from "../../../lib/refunds/drain-refunds.ts";
import { RECLAIM, readRefundsCommand, refundBatch } from "../../../lib/refunds/read-refunds.ts";
import { reportSettled, settleRefundsCommand } from "../../../lib/refunds/settle-refunds.ts";

/** As consumers are often written: do the work, then acknowledge it. */
export const drainRefunds: typeof original.drainRefunds = async (redis, now) => {
  let cursor = RECLAIM;
  for (;;) {
    const [read] = await runPipeline(redis, [readRefundsCommand(cursor)]);
    const batch = refundBatch(read);
    if (batch.requests.length === 0) return;
    const [settled] = await runPipeline(redis, [settleRefundsCommand(batch.requests, now())]);
    reportSettled(batch.requests, settled);
    const ids = batch.requests.map(({ id }) => id);
    await runPipeline(redis, [
      (pipeline) => pipeline.xack(REFUND_STREAM, REFUND_GROUP, ids),
      (pipeline) => pipeline.xdel(REFUND_STREAM, ids),
    ]);
    cursor = batch.cursor;
  }
};
