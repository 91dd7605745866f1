import * as z from "zod/mini";
import { runCommand } from "../../../lib/redis/commands.ts";
import { REFUND_GROUP, REFUND_STREAM } from "../../../lib/redis/keys.ts";
import type * as original from "../../../lib/refunds/drain-refunds.ts";
import {
  RECLAIM,
  readRefundsCommand,
  refundBatch,
  reportSettled,
  settleRefundsCommand,
} from "../../../lib/refunds/refund-requests.ts";

/** As consumers are often written: do the work, then acknowledge it in a request of its own. */
export const drainRefunds: typeof original.drainRefunds = async (redis, now) => {
  let cursor = RECLAIM;
  for (;;) {
    const batch = refundBatch(await runCommand(redis, readRefundsCommand(cursor)));
    if (batch.requests.length === 0) return;
    const settlements = await runCommand(redis, settleRefundsCommand(batch.requests, now()));
    reportSettled(batch.requests, settlements);
    const ids = batch.requests.map(({ id }) => id);
    const reply = z.unknown();
    await runCommand(redis, { reply, add: (pipeline) => pipeline.xack(REFUND_STREAM, REFUND_GROUP, ids) });
    await runCommand(redis, { reply, add: (pipeline) => pipeline.xdel(REFUND_STREAM, ids) });
    cursor = batch.cursor;
  }
};
