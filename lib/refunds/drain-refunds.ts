import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { ServiceError } from "../errors.ts";
import { OrderPk } from "../orders/order.ts";
import {
  type Command,
  MAX_PIPELINE_MS,
  type Replies,
  reportGauge,
  runPipeline,
  script,
  scriptCommand,
} from "../redis/commands.ts";
import { DEAD_LETTER_STREAM, orderKey, PENDING_KEY, REFUND_GROUP, REFUND_STREAM } from "../redis/keys.ts";
import { countMetric, gaugeMetric, logger } from "../telemetry.ts";
import keepDeadLettersLua from "./keep-dead-letters.lua" with { type: "text" };
import readRefundsLua from "./read-refund-requests.lua" with { type: "text" };
import settleRefundsLua from "./settle-refunds.lua" with { type: "text" };

/** The poller does not read a batch that it might not settle in time: one request reads it, the next one settles it. */
const RESERVE_MS = 2 * MAX_PIPELINE_MS + 1_000;

/**
 * Upstash allows 1,000 pending entries per consumer. A read is sent up to five times, each of which takes a batch if the replies
 * are lost, and two pollers may run at once.
 */
export const REFUND_BATCH_SIZE = 80;

/** How many dead letters that could not be kept are tried in each run until one can be. */
const PROBE_SIZE = 8;

/** CloudWatch truncates a log line at 256 KB, and there may be thousands. */
const MAX_IDS_LOGGED = 100;

/** A fixed name: one name per instance would leave a consumer behind for each cold start. */
const CONSUMER = "drain-refunds";

/** Longer than any poller can run (its function's time-out is 50 s), so that no batch is taken from a running one. */
export const RECLAIM_IDLE_MS = 60_000;

/** Where a read begins: with requests left pending or new ones; or, after any id, with those that no run holds; or nowhere. */
export const NEW = ">";
const UNHELD = "0-0";
const END = "";

const readRefundsScript = script(readRefundsLua);

const settleRefundsScript = script(settleRefundsLua);

const keepDeadLettersScript = script(keepDeadLettersLua);

const refundBacklog = lengthOf(REFUND_STREAM);
const deadLetters = lengthOf(DEAD_LETTER_STREAM);

/** Whether the stream takes no more entries, in the reply of `read-refund-requests.lua`. */
const ClosedCode = { open: 0, madeAnew: 1, closed: 2 } as const;

/** The reply of `read-refund-requests.lua`: id and pk of each entry, ids of trimmed entries, the stream's length, what is next, `ClosedCode`. */
const ReadRefundsReply = z.tuple([
  z.array(z.tuple([z.string(), z.nullable(z.string())])),
  z.array(z.string()),
  z.int(),
  z.string(),
  z.enum(ClosedCode),
]);

type ReadRefundsReply = z.infer<typeof ReadRefundsReply>;

/** The codes of `settle-refunds.lua`. */
export const RefundCode = { refunded: 1, wasRefunded: 2, unknown: 3, settledElsewhere: 4, failed: 5 } as const;
type RefundCode = (typeof RefundCode)[keyof typeof RefundCode];

/** The codes of `keep-dead-letters.lua`. */
export const DeadLetterCode = { kept: 1, settledElsewhere: 2, trimmed: 3, failed: 4 } as const;
type DeadLetterCode = (typeof DeadLetterCode)[keyof typeof DeadLetterCode];

/** A request to refund the order `pk`. */
export interface RefundRequest {
  readonly id: string;
  readonly pk: string;
}

/** A request that cannot be settled, and why. */
export interface RefusedRequest {
  readonly id: string;
  readonly reason: "missing_pk" | "malformed_pk" | "unknown_order";
}

/** A code for each request, and Redis's error for each that failed. */
type Settlements<Code> = readonly [codes: readonly Code[], errors: readonly string[]];

/** A command, and what to do with its reply. */
interface Step {
  readonly command: Command<unknown>;
  readonly apply: (replies: Replies) => void;
}

/**
 * Settles refund requests until none is left or the time is nearly up: first those that another run left pending, then new ones.
 * Settling a batch and reading the next share one request. A read that finds fewer new requests than it may is the last one: what
 * arrives meanwhile is for the next run.
 *
 * A request that must be refused while its dead letter cannot be kept is acknowledged and stays on the stream. So any number of
 * them neither hold up valid requests nor reach Upstash's limit of pending entries. At its end a run tries a few of them again, and
 * goes on with the others once these are kept.
 *
 * A valid request that cannot be settled stays pending. When as many as a batch has could not be settled, the run ends: Redis refuses
 * writes.
 * @param clock gives the time, in ms since the epoch
 * @param remainingTimeMs gives the time that is left, in ms
 * @throws ServiceError `redis_failed`, `redis_invalid_reply`: unsettled requests stay pending, and a later run reclaims them
 */
export async function drainRefunds(redis: Redis, clock: () => number, remainingTimeMs: () => number): Promise<void> {
  const drain = new Drain();
  let steps = drain.begin();
  let replies: Replies | undefined;
  try {
    while (steps.length > 0) {
      const gauges = drain.left === undefined ? [refundBacklog, deadLetters] : [deadLetters];
      replies = await runPipeline(redis, [...steps.map(({ command }) => command), ...gauges]);
      for (const { apply } of steps) apply(replies);
      steps = drain.next(clock(), remainingTimeMs());
    }
  } finally {
    // Also when the run fails, because alarms need the metrics then.
    if (drain.left !== undefined) gaugeMetric("RefundBacklog", drain.left);
    else if (replies) reportGauge("RefundBacklog", replies, refundBacklog);
    if (replies) reportGauge("RefundDeadLetters", replies, deadLetters);
  }
}

/** What a run has in hand, and what it has learned. */
class Drain {
  #requests: readonly RefundRequest[] = [];
  #refused: readonly RefusedRequest[] = [];
  #toAcknowledge: readonly string[] = [];
  #from = NEW;
  #readsUnheld = false;
  #keepsDeadLetters = true;
  #failures = 0;
  #isStopped = false;
  /** The requests that were on the stream at the last read, less those that were settled since. */
  left: number | undefined;

  begin(): Step[] {
    return [this.#read()];
  }

  /** The commands of the next request to Redis; none at the end of the run. */
  next(now: number, remainingMs: number): Step[] {
    if (remainingMs <= MAX_PIPELINE_MS) return [];
    // First the dead letters: what they leave for later is known when the others are refused.
    const steps = [...this.#keep(now), ...this.#settle(now), ...this.#acknowledge()];
    if (remainingMs <= RESERVE_MS) return steps;
    if (this.#from === NEW && !this.#isStopped) return [...steps, this.#read()];
    if (steps.length > 0) return steps;
    if (!this.#keepsDeadLetters || this.#failures > 0) return [];
    // Only now, because most runs leave nothing on the stream.
    if (!this.#readsUnheld && this.left !== 0) {
      this.#from = UNHELD;
      this.#readsUnheld = true;
    }
    return this.#from === END ? [] : [this.#read()];
  }

  #read(): Step {
    return step(readRefundsCommand(this.#from), ([entries, trimmed, length, next, closed]) => {
      this.left = length;
      this.#from = next;
      const read = entries.map(([id, pk]) => refundRequest(id, pk));
      this.#requests = read.filter((request) => "pk" in request);
      this.#refuse(read.filter((request) => "reason" in request));
      if (trimmed.length > 0) this.#lose(trimmed);
      if (closed === ClosedCode.madeAnew) logger.error("refund_order took no more requests: it was made anew");
      if (closed === ClosedCode.closed) logger.error("refund_order takes no more requests until it is empty");
    });
  }

  #settle(now: number): Step[] {
    const requests = this.#requests;
    if (requests.length === 0) return [];
    this.#requests = [];
    return [
      step(settleRefundsCommand(requests, now), ([codes, errors]) => {
        const withCode = (code: RefundCode) => requests.filter((_, index) => codes[index] === code);
        const refunded = withCode(RefundCode.refunded);
        const wasRefunded = withCode(RefundCode.wasRefunded);
        const settledElsewhere = withCode(RefundCode.settledElsewhere);
        const failed = withCode(RefundCode.failed);
        this.#settled(refunded.length + wasRefunded.length + settledElsewhere.length);
        countMetric("RefundsApplied", refunded.length);
        logger.info("Refund requests settled", {
          refunded: pksOf(refunded),
          refunded_before: pksOf(wasRefunded),
          settled_elsewhere: settledElsewhere.length,
          failed: failed.length,
        });
        this.#refuse(withCode(RefundCode.unknown).map(({ id }) => ({ id, reason: "unknown_order" })));
        if (failed.length === 0) return;
        countMetric("RefundFailures", failed.length);
        logger.error("Refund requests could not be settled: they stay pending", {
          requests: failed,
          errors: unique(errors),
        });
        this.#failures += failed.length;
        this.#isStopped = this.#failures >= REFUND_BATCH_SIZE;
      }),
    ];
  }

  #keep(now: number): Step[] {
    const refused = this.#refused;
    if (refused.length === 0) return [];
    this.#refused = [];
    const command = keepDeadLettersCommand(refused, now);
    const apply = (replies: Replies) => {
      const [codes, errors] = outcome(refused, replies, command);
      const withCode = (code: DeadLetterCode) => refused.filter((_, index) => codes[index] === code);
      const kept = withCode(DeadLetterCode.kept);
      const settledElsewhere = withCode(DeadLetterCode.settledElsewhere);
      const trimmed = withCode(DeadLetterCode.trimmed);
      const failed = withCode(DeadLetterCode.failed);
      this.#settled(kept.length + settledElsewhere.length + trimmed.length);
      countMetric("RefundsDeadLettered", kept.length);
      if (kept.length > 0) logger.warn("Refund requests were refused: see refund_order:dead", { requests: kept });
      if (trimmed.length > 0) this.#lose(trimmed.map(({ id }) => id));
      if (failed.length > 0) this.#leave(failed, errors);
    };
    return [{ command, apply }];
  }

  #acknowledge(): Step[] {
    const ids = this.#toAcknowledge;
    if (ids.length === 0) return [];
    this.#toAcknowledge = [];
    return [step(acknowledgeCommand(ids), () => undefined)];
  }

  #refuse(refused: readonly RefusedRequest[]): void {
    if (this.#keepsDeadLetters) this.#refused = [...this.#refused, ...refused];
    else if (refused.length > 0) this.#leave(refused, []);
  }

  /** Leaves refused requests on the stream: a later run finds them there, since none holds them. */
  #leave(refused: readonly RefusedRequest[], errors: readonly string[]): void {
    this.#keepsDeadLetters = false;
    if (!this.#readsUnheld) this.#toAcknowledge = [...this.#toAcknowledge, ...refused.map(({ id }) => id)];
    countMetric("RefundFailures", refused.length);
    const details = { requests: refused, errors: unique(errors) };
    logger.error("Refused refund requests could not be kept: they stay on refund_order", details);
  }

  /** Reports requests that are gone from the stream, then acknowledges them: when a reply is lost, they are found again. */
  #lose(ids: readonly string[]): void {
    this.#toAcknowledge = [...this.#toAcknowledge, ...ids];
    countMetric("RefundsTrimmed", ids.length);
    const lost = { count: ids.length, first: ids.slice(0, MAX_IDS_LOGGED) };
    logger.error("Refund requests were trimmed from the stream before they were settled", lost);
  }

  #settled(count: number): void {
    if (this.left !== undefined) this.left = Math.max(0, this.left - count);
  }
}

/** The command that reads the next batch of requests. */
export function readRefundsCommand(from: string): Command<ReadRefundsReply> {
  return scriptCommand(
    readRefundsScript,
    ReadRefundsReply,
    [REFUND_STREAM],
    [REFUND_GROUP, CONSUMER, RECLAIM_IDLE_MS, from === UNHELD ? PROBE_SIZE : REFUND_BATCH_SIZE, from],
  );
}

/** An entry's request, or why it is refused. */
export function refundRequest(id: string, pk: string | null): RefundRequest | RefusedRequest {
  if (pk === null) return { id, reason: "missing_pk" };
  return OrderPk.safeParse(pk).success ? { id, pk } : { id, reason: "malformed_pk" };
}

/**
 * The command that refunds the orders of a batch in one script.
 * @param now the time, in ms since the epoch
 */
export function settleRefundsCommand(
  requests: readonly RefundRequest[],
  now: number,
): Command<Settlements<RefundCode>> {
  return scriptCommand(
    settleRefundsScript,
    settlementsOf(requests, z.enum(RefundCode)),
    [REFUND_STREAM, PENDING_KEY, ...requests.map(({ pk }) => orderKey(pk))],
    [REFUND_GROUP, new Date(now).toISOString(), ...requests.flatMap(({ id, pk }) => [id, pk])],
  );
}

/**
 * The command that moves refused requests to the dead letters. It is apart from the refunds, because Upstash may refuse the whole
 * script when one of its keys is full.
 * @param now the time, in ms since the epoch
 */
export function keepDeadLettersCommand(
  refused: readonly RefusedRequest[],
  now: number,
): Command<Settlements<DeadLetterCode>> {
  return scriptCommand(
    keepDeadLettersScript,
    settlementsOf(refused, z.enum(DeadLetterCode)),
    [REFUND_STREAM, DEAD_LETTER_STREAM],
    [REFUND_GROUP, new Date(now).toISOString(), ...refused.flatMap(({ id, reason }) => [id, reason])],
  );
}

function acknowledgeCommand(ids: readonly string[]): Command<number> {
  return { reply: z.int(), add: (pipeline) => pipeline.xack(REFUND_STREAM, REFUND_GROUP, [...ids]) };
}

function lengthOf(stream: string): Command<number> {
  return { reply: z.int(), add: (pipeline) => pipeline.xlen(stream) };
}

function settlementsOf<Code>(items: readonly unknown[], code: z.ZodMiniType<Code>) {
  return z.tuple([z.array(code).check(z.length(items.length)), z.array(z.string())]);
}

function step<Reply>(command: Command<Reply>, apply: (reply: Reply) => void): Step {
  return { command, apply: (replies) => apply(replies.of(command)) };
}

/** The outcome of the dead letters; when Redis refused the whole script, each of them failed. */
function outcome(
  refused: readonly RefusedRequest[],
  replies: Replies,
  command: Command<Settlements<DeadLetterCode>>,
): Settlements<DeadLetterCode> {
  try {
    return replies.of(command);
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== "redis_failed") throw error;
    return [refused.map(() => DeadLetterCode.failed), [String(error.cause)]];
  }
}

const unique = (errors: readonly string[]): string[] => [...new Set(errors)];

function pksOf(requests: readonly RefundRequest[]): string[] {
  return requests.map(({ pk }) => pk);
}
