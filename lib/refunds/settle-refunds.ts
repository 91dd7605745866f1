import * as z from "zod/mini";
import { countMetric, logger } from "../observability.ts";
import { DEAD_REFUND_STREAM, orderKey, PENDING_KEY, REFUND_GROUP, REFUND_STREAM } from "../redis/keys.ts";
import { type Command, script, scriptCommand } from "../redis/pipeline.ts";
import settleRefundsLua from "../scripts/settle-refunds.lua" with { type: "text" };
import type { RefundRequest } from "./read-refunds.ts";

const settleRefundsScript = script(settleRefundsLua);

/** The codes of `settle-refunds.lua`. */
export const SettlementCode = {
  refunded: 1,
  wasRefunded: 2,
  dead: 3,
  settledElsewhere: 4,
  trimmed: 5,
  failed: 6,
} as const;
type SettlementCode = (typeof SettlementCode)[keyof typeof SettlementCode];

/** A code per request, and Redis's error for each that failed. */
export type Settlements = readonly [codes: readonly SettlementCode[], errors: readonly string[]];

/**
 * The command that settles a batch in one script: refunds, or dead letters.
 * @param now the time, in ms since the epoch
 */
export function settleRefundsCommand(requests: readonly RefundRequest[], now: number): Command<Settlements> {
  const codes = z.array(z.enum(SettlementCode)).check(z.length(requests.length));
  return scriptCommand(
    settleRefundsScript,
    z.tuple([codes, z.array(z.string())]),
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

/** Logs and counts what became of a batch: the orders by pk, and what was refused, lost or failed by its id too. */
export function reportSettled(requests: readonly RefundRequest[], [codes, errors]: Settlements): void {
  const withCode = (code: SettlementCode) => requests.filter((_, index) => codes[index] === code);
  const refunded = withCode(SettlementCode.refunded);
  const dead = withCode(SettlementCode.dead);
  const trimmed = withCode(SettlementCode.trimmed);
  const failed = withCode(SettlementCode.failed);
  countMetric("RefundsApplied", refunded.length);
  countMetric("RefundsDeadLettered", dead.length);
  countMetric("RefundsTrimmed", trimmed.length);
  countMetric("RefundFailures", failed.length);
  logger.info("Refund requests settled", {
    refunded: pksOf(refunded),
    refunded_before: pksOf(withCode(SettlementCode.wasRefunded)),
    dead_lettered: dead.length,
    settled_elsewhere: withCode(SettlementCode.settledElsewhere).length,
    trimmed: trimmed.length,
    failed: failed.length,
  });
  if (dead.length > 0) logger.warn("Refund requests were refused: see refund_order:dead", { requests: dead });
  if (trimmed.length > 0) {
    logger.error("Refused refund requests were trimmed before they could be kept", { requests: trimmed });
  }
  if (failed.length > 0) {
    logger.error("Refund requests could not be settled: they stay pending", {
      requests: failed,
      errors: [...new Set(errors)],
    });
  }
}

function pksOf(requests: readonly RefundRequest[]): string[] {
  return requests.flatMap((request) => ("pk" in request ? [request.pk] : []));
}
