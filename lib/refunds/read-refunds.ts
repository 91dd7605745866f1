import { logger } from "../observability.ts";
import { OrderPk } from "../order.ts";
import { REFUND_GROUP, REFUND_STREAM } from "../redis/keys.ts";
import { type Command, scriptCommand } from "../redis/pipeline.ts";
import { parseReply } from "../redis/reply.ts";
import { ReadRefundsReply } from "../redis/reply-codes.ts";
import { script } from "../redis/script.ts";
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

/** A request to refund the order `pk`, or one that can only be refused, and why. */
export type RefundRequest =
  | { readonly id: string; readonly pk: string }
  | { readonly id: string; readonly refusal: "missing_pk" | "malformed_pk" };

/** What one read gave. */
export interface RefundBatch {
  readonly requests: readonly RefundRequest[];
  /** Where the next read goes on. */
  readonly cursor: string;
  /** How many requests the stream holds besides these. */
  readonly others: number;
}

/** The command that takes the next batch of requests for this consumer; `refundBatch` decodes its reply. */
export function readRefundsCommand(cursor: string): Command {
  return scriptCommand(
    readRefundsScript,
    [REFUND_STREAM],
    [REFUND_GROUP, CONSUMER, RECLAIM_IDLE_MS, REFUND_BATCH_SIZE, cursor],
  );
}

/**
 * Decodes what the command replied, and logs what nobody can settle any more.
 * @throws OrderError `redis_replied_nonsense`
 */
export function refundBatch(reply: unknown): RefundBatch {
  const [cursor, entries, others, trimmed] = parseReply(ReadRefundsReply, reply);
  if (trimmed.length > 0) {
    const lost = { count: trimmed.length, first: trimmed.slice(0, MOST_IDS_LOGGED) };
    logger.error("Refund requests were trimmed from the stream while they were pending", lost);
  }
  return { cursor, others, requests: entries.map(([id, pk]) => refundRequest(id, pk)) };
}

function refundRequest(id: string, pk: string | null): RefundRequest {
  if (pk === null) return { id, refusal: "missing_pk" };
  return OrderPk.safeParse(pk).success ? { id, pk } : { id, refusal: "malformed_pk" };
}
