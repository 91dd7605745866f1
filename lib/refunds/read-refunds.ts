import * as z from "zod/mini";
import { countMetric, logger } from "../observability.ts";
import { OrderPk } from "../order.ts";
import { REFUND_GROUP, REFUND_STREAM } from "../redis/keys.ts";
import { type Command, script, scriptCommand } from "../redis/pipeline.ts";
import readRefundsLua from "../scripts/read-refunds.lua" with { type: "text" };

/**
 * Upstash allows 1,000 pending entries a consumer. A read whose replies are lost takes a batch each time it is sent, which
 * is five times at most, and two pollers may run at once.
 */
export const REFUND_BATCH_SIZE = 80;

/** CloudWatch cuts a line at 256 KB, and a reclaim may come upon thousands. */
const MOST_IDS_LOGGED = 100;

/** One fixed name: a name an instance would leave a dead consumer behind for every cold start. */
const CONSUMER = "drain-refunds";

/** Longer than any poller can run (its function's time-out is 50 s), so that no batch is taken from a live one. */
export const RECLAIM_IDLE_MS = 60_000;

/** The cursor that begins with what another run left pending. */
export const RECLAIM = "0-0";

const readRefundsScript = script(readRefundsLua);

/** What `read-refunds.lua` replies: the next cursor, id and pk of each entry, and the ids of those that were trimmed. */
const ReadRefundsReply = z.tuple([
  z.string(),
  z.array(z.tuple([z.string(), z.nullable(z.string())])),
  z.array(z.string()),
]);
type ReadRefundsReply = z.infer<typeof ReadRefundsReply>;

/** A request to refund the order `pk`, or one that can only be refused, and why. */
export type RefundRequest =
  | { readonly id: string; readonly pk: string }
  | { readonly id: string; readonly refusal: "missing_pk" | "malformed_pk" };

/** What one read gave. */
export interface RefundBatch {
  readonly requests: readonly RefundRequest[];
  /** Where the next read goes on. */
  readonly cursor: string;
}

/** The command that takes the next batch of requests for this consumer; `refundBatch` decodes its reply. */
export function readRefundsCommand(cursor: string): Command<ReadRefundsReply> {
  return scriptCommand(
    readRefundsScript,
    ReadRefundsReply,
    [REFUND_STREAM],
    [REFUND_GROUP, CONSUMER, RECLAIM_IDLE_MS, REFUND_BATCH_SIZE, cursor],
  );
}

/** Decodes what the command replied; logs and counts what nobody can settle any more. */
export function refundBatch([cursor, entries, trimmed]: ReadRefundsReply): RefundBatch {
  if (trimmed.length > 0) {
    countMetric("RefundsTrimmed", trimmed.length);
    const lost = { count: trimmed.length, first: trimmed.slice(0, MOST_IDS_LOGGED) };
    logger.error("Refund requests were trimmed from the stream while they were pending", lost);
  }
  return { cursor, requests: entries.map(([id, pk]) => refundRequest(id, pk)) };
}

function refundRequest(id: string, pk: string | null): RefundRequest {
  if (pk === null) return { id, refusal: "missing_pk" };
  return OrderPk.safeParse(pk).success ? { id, pk } : { id, refusal: "malformed_pk" };
}
