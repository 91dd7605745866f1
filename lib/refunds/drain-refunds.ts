import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { OrderPk } from "../orders/order.ts";
import { type Command, MAX_PIPELINE_MS, reportGauge, runPipeline, script, scriptCommand } from "../redis/commands.ts";
import { DEAD_REFUND_STREAM, orderKey, PENDING_KEY, REFUND_GROUP, REFUND_STREAM } from "../redis/keys.ts";
import { countMetric, logger } from "../telemetry.ts";
import readRefundsLua from "./read-refund-requests.lua" with { type: "text" };
import settleRefundsLua from "./settle-refunds.lua" with { type: "text" };

/** The poller does not read a batch that it might not settle in time: one request reads it, the next one settles it. */
const RESERVE_MS = 2 * MAX_PIPELINE_MS + 1_000;

const refundBacklog = lengthOf(REFUND_STREAM);
const deadRefunds = lengthOf(DEAD_REFUND_STREAM);
const GAUGES = [refundBacklog, deadRefunds];

/**
 * Upstash allows 1,000 pending entries per consumer. A read is sent up to five times, each of which takes a batch if the replies
 * are lost, and two pollers may run at once.
 */
export const REFUND_BATCH_SIZE = 80;

/** CloudWatch truncates a log line at 256 KB, and there may be thousands. */
const MAX_IDS_LOGGED = 100;

/** A fixed name: one name per instance would leave a consumer behind for each cold start. */
const CONSUMER = "drain-refunds";

/** Longer than any poller can run (its function's time-out is 50 s), so that no batch is taken from a running one. */
export const RECLAIM_IDLE_MS = 60_000;

/** The cursor that starts with the requests that another run left pending. */
export const RECLAIM = "0-0";

const readRefundsScript = script(readRefundsLua);

const settleRefundsScript = script(settleRefundsLua);

/** The reply of `read-refund-requests.lua`: the next cursor, id and pk of each entry, and the ids of trimmed entries. */
const ReadRefundsReply = z.tuple([
  z.string(),
  z.array(z.tuple([z.string(), z.nullable(z.string())])),
  z.array(z.string()),
]);

type ReadRefundsReply = z.infer<typeof ReadRefundsReply>;

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

/** A request to refund the order `pk`, or one that must be refused, and why. */
export type RefundRequest =
  | { readonly id: string; readonly pk: string }
  | { readonly id: string; readonly reason: "missing_pk" | "malformed_pk" };

/** The result of one read. */
interface RefundBatch {
  readonly requests: readonly RefundRequest[];
  /** Where the next read continues. */
  readonly cursor: string;
}

/** A code for each request, and Redis's error for each that failed. */
type Settlements = readonly [codes: readonly SettlementCode[], errors: readonly string[]];

/**
 * Settles refund requests until none is left or the time is nearly up: first those that another run left pending, then new ones.
 * Settling a batch and reading the next share one request; the last batch is settled without reading another.
 * @param clock gives the time, in ms since the epoch
 * @param remainingTimeMs gives the time that is left, in ms
 * @throws ServiceError `redis_failed`, `redis_invalid_reply`: unsettled requests stay pending, and a later run reclaims them
 */
export async function drainRefunds(redis: Redis, clock: () => number, remainingTimeMs: () => number): Promise<void> {
  let read = readRefundsCommand(RECLAIM);
  let replies = await runPipeline(redis, [read, ...GAUGES]);
  try {
    let batch = refundBatch(replies.of(read));
    while (batch.requests.length > 0) {
      const settle = settleRefundsCommand(batch.requests, clock());
      const more = remainingTimeMs() > RESERVE_MS;
      read = readRefundsCommand(batch.cursor);
      replies = await runPipeline(redis, [settle, ...(more ? [read] : []), ...GAUGES]);
      reportSettled(batch.requests, replies.of(settle));
      if (!more) break;
      batch = refundBatch(replies.of(read));
    }
  } finally {
    // Also when the run fails, because alarms need the metrics then.
    reportGauge("RefundBacklog", replies, refundBacklog);
    reportGauge("RefundDeadLetters", replies, deadRefunds);
  }
}

/** The command that reads the next batch of requests. `refundBatch` decodes its reply. */
export function readRefundsCommand(cursor: string): Command<ReadRefundsReply> {
  return scriptCommand(
    readRefundsScript,
    ReadRefundsReply,
    [REFUND_STREAM],
    [REFUND_GROUP, CONSUMER, RECLAIM_IDLE_MS, REFUND_BATCH_SIZE, cursor],
  );
}

/** Decodes the reply of `readRefundsCommand`. Logs and counts requests that were trimmed and are lost. */
export function refundBatch([cursor, entries, trimmed]: ReadRefundsReply): RefundBatch {
  if (trimmed.length > 0) {
    countMetric("RefundsTrimmed", trimmed.length);
    const lost = { count: trimmed.length, first: trimmed.slice(0, MAX_IDS_LOGGED) };
    logger.error("Refund requests were trimmed from the stream while they were pending", lost);
  }
  return { cursor, requests: entries.map(([id, pk]) => refundRequest(id, pk)) };
}

/**
 * The command that settles a batch in one script: each request becomes a refund or a dead letter.
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
        "pk" in request ? [request.id, request.pk, ""] : [request.id, "", request.reason],
      ),
    ],
  );
}

/** Logs and counts the outcome of a batch. */
function reportSettled(requests: readonly RefundRequest[], [codes, errors]: Settlements): void {
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

function lengthOf(stream: string): Command<number> {
  return { reply: z.int(), add: (pipeline) => pipeline.xlen(stream) };
}

function refundRequest(id: string, pk: string | null): RefundRequest {
  if (pk === null) return { id, reason: "missing_pk" };
  return OrderPk.safeParse(pk).success ? { id, pk } : { id, reason: "malformed_pk" };
}

function pksOf(requests: readonly RefundRequest[]): string[] {
  return requests.flatMap((request) => ("pk" in request ? [request.pk] : []));
}
