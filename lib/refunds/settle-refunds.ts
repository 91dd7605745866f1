import { countMetric, logger } from "../observability.ts";
import { DEAD_REFUND_STREAM, orderKey, PENDING_KEY, REFUND_GROUP, REFUND_STREAM } from "../redis/keys.ts";
import { type Command, scriptCommand } from "../redis/pipeline.ts";
import { parseReply } from "../redis/reply.ts";
import { SettleRefundCode, SettleRefundsReply } from "../redis/reply-codes.ts";
import { script } from "../redis/script.ts";
import settleRefundsLua from "../scripts/settle-refunds.lua" with { type: "text" };
import type { RefundRequest } from "./read-refunds.ts";

const settleRefundsScript = script(settleRefundsLua);

/**
 * The command that settles a batch in one script: refunds, or dead letters.
 * @param now the time, in ms since the epoch
 */
export function settleRefundsCommand(requests: readonly RefundRequest[], now: number): Command {
  return scriptCommand(
    settleRefundsScript,
    [
      REFUND_STREAM,
      DEAD_REFUND_STREAM,
      PENDING_KEY,
      ...requests.flatMap((request) => ("pk" in request ? [orderKey(request.pk)] : [])),
    ],
    [
      REFUND_GROUP,
      new Date(now).toISOString(),
      ...requests.flatMap((request) =>
        "pk" in request ? [request.id, request.pk, ""] : [request.id, "", request.refusal],
      ),
    ],
  );
}

/**
 * Logs and counts what became of a batch: the orders by pk, and what was refused or lost by its id on the stream too.
 * @throws OrderError `redis_replied_nonsense`
 */
export function reportSettled(requests: readonly RefundRequest[], reply: unknown): void {
  const codes = parseReply(SettleRefundsReply, reply);
  const withCode = (code: SettleRefundCode) => requests.filter((_, index) => codes[index] === code);
  const refunded = withCode(SettleRefundCode.refunded);
  const dead = withCode(SettleRefundCode.dead);
  const trimmed = withCode(SettleRefundCode.trimmed);
  countMetric("RefundsApplied", refunded.length);
  countMetric("RefundsDeadLettered", dead.length);
  logger.info("Refund requests settled", {
    refunded: pksOf(refunded),
    refunded_before: pksOf(withCode(SettleRefundCode.wasRefunded)),
    dead_lettered: dead.length,
    settled_elsewhere: withCode(SettleRefundCode.settledElsewhere).length,
    trimmed: trimmed.length,
  });
  if (dead.length > 0) logger.warn("Refund requests were refused: see refund_order:dead", { requests: dead });
  if (trimmed.length > 0) {
    logger.error("Refused refund requests were trimmed before they could be kept", { requests: trimmed });
  }
}

function pksOf(requests: readonly RefundRequest[]): string[] {
  return requests.flatMap((request) => ("pk" in request ? [request.pk] : []));
}
