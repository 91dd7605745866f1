import { randomInt } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import * as z from "zod/mini";
import { type Command, reportGauge, runPipeline } from "../redis/commands.ts";
import { PENDING_KEY } from "../redis/keys.ts";
import { pairsOf } from "../redis/pairs.ts";
import { countMetric, durationMetric, logger } from "../telemetry.ts";
import { announcements, consumerLag, groupsBehind, trimAnnouncements } from "./announcements.ts";
import {
  type CompleteOrderDependencies,
  CompletionCode,
  type Completions,
  completeOrdersCommand,
  reportFailures,
} from "./complete-orders.ts";
import {
  COMPLETION_DELAY_MS,
  type Completion,
  SWEEP_GRACE_MS,
  SWEEP_MIN_WAIT_MS,
  SWEEP_RUN_MS,
} from "./completion-delay.ts";

/** One script completes a batch, and holds the keys of its orders and of the stream for about 6 ms. */
const BATCH_SIZE = 200;

/**
 * No order becomes due sooner than this after its time of creation. It is stored a moment after that: one that waited for a slow
 * inventory or for retries may be found as much later.
 */
const MAX_WAIT_MS = COMPLETION_DELAY_MS;

/** The pause after a request that failed in spite of its retries. */
const FAILURE_WAIT_MS = 1_000;

/**
 * How much of the stream a run may fill while a consumer group that reads is behind by as much: the group then has a minute for
 * each such share.
 */
const SHARE_OF_STREAM = 1 / 4;

/** How late an order is with `sweep` when it counts as overdue. */
const LATE_MS = 10_000;

/** Members and scores. */
const PendingOrders = z.pipe(
  z.array(z.string()),
  z.transform((flat): PendingOrder[] => pairsOf(flat).map(([pk, score]) => ({ pk, due: Number(score) }))),
);

interface PendingOrder {
  readonly pk: string;
  /** In ms since the epoch. */
  readonly due: number;
}

export interface Sweep extends CompleteOrderDependencies {
  readonly completion: Completion;
  /** Gives the time, in ms since the epoch. */
  readonly clock: () => number;
  /** Waits some ms. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

/**
 * Completes pending orders, oldest first, a batch per script. An order that cannot be completed stays pending.
 *
 * With `scheduler` it completes the orders that are overdue by more than the grace, and ends. With `sweep` it lasts 65 s: it
 * completes each order once it is due, waits until the next one is (at least 200 ms, at most the delay of an order), and
 * survives failures of Redis. Runs may overlap: the script is idempotent.
 * @throws ServiceError `redis_failed`, `redis_invalid_reply`: completed batches stay completed
 */
export async function sweepOrders(sweep: Sweep): Promise<void> {
  const { completion, wait = setTimeout } = sweep;
  const run = new SweepRun(sweep);
  let reported = false;
  let failure: unknown;
  do {
    try {
      await run.completeDue().finally(async () => {
        if (reported) return;
        // After the first pass, so that orders which it has completed do not count. Also when it fails: alarms need them then.
        await reportLevels(sweep, run.overdueSince);
        reported = true;
      });
      failure = undefined;
    } catch (error) {
      failure = error;
      if (completion === "sweep") logger.error("The sweep failed and tries again", { error });
    }
    if (completion === "scheduler" || run.isOver()) break;
    await wait(failure === undefined ? run.untilNextMs() : FAILURE_WAIT_MS);
  } while (!run.isOver());
  if (failure !== undefined) throw failure;
  // With `sweep` a run ends between two passes, and the next one is at work already.
  if (completion === "scheduler" && run.hasDue()) logger.warn("The sweep left overdue orders. The next one continues");
}

/** The orders that one run has listed, and what it learned about them. */
class SweepRun {
  readonly #sweep: Sweep;
  readonly #endsAt: number;
  /** In ms since the epoch. Orders that were due before are overdue; with `scheduler` only these are completed. */
  readonly overdueSince: number;
  /** The oldest pending orders, as last listed. */
  #pending: readonly PendingOrder[] = [];
  /** The script does not know them: it has removed them from the index, except pks that no reply can carry. */
  readonly #unknown = new Set<string>();
  /** Could not be completed in this pass. */
  #failed = new Set<string>();
  /** Redis refused every order of the last batch. */
  #refused = false;
  /** How many orders this share of the stream has, and its first entry. */
  #announced = 0;
  #shareStartId = "";
  #isPaused = false;

  constructor(sweep: Sweep) {
    this.#sweep = sweep;
    const now = sweep.clock();
    this.#endsAt = now + SWEEP_RUN_MS;
    // Orders that become overdue while the run works are the next run's.
    this.overdueSince = now - (sweep.completion === "scheduler" ? SWEEP_GRACE_MS : LATE_MS);
  }

  isOver(): boolean {
    return this.#isPaused || this.#sweep.clock() >= this.#endsAt;
  }

  hasDue(): boolean {
    return this.#due().length > 0;
  }

  /** How long to wait before the next pass, in ms. */
  untilNextMs(): number {
    const now = this.#sweep.clock();
    const [next] = this.#refused ? [] : this.#pending.filter(this.#isOpen);
    // A timer may fire a millisecond early.
    const wait = next === undefined ? MAX_WAIT_MS : Math.max(next.due - now + 1, SWEEP_MIN_WAIT_MS);
    return Math.min(wait, MAX_WAIT_MS, this.#endsAt - now);
  }

  /**
   * Completes what is due, until nothing is, the time is up or Redis refuses a whole batch. One request completes a batch and
   * lists the next.
   */
  async completeDue(): Promise<void> {
    const { redis, clock, streamMaxLength } = this.#sweep;
    this.#failed = new Set();
    do {
      const batch = this.#nextBatch();
      const listing = this.#list();
      if (batch.length === 0) {
        this.#pending = (await runPipeline(redis, [listing])).of(listing);
      } else {
        const completedAt = clock();
        const pks = batch.map(({ pk }) => pk);
        const complete = completeOrdersCommand(pks, completedAt, streamMaxLength);
        const replies = await runPipeline(redis, [complete, listing]);
        this.#learn(batch, replies.of(complete), completedAt);
        // If the script cache was lost, the list ran first and has the batch again, which changes nothing.
        this.#pending = replies.of(listing);
        await this.#letConsumersRead();
      }
    } while (this.hasDue() && !this.#refused && !this.isOver());
  }

  #list(): Command<PendingOrder[]> {
    const until = this.#sweep.completion === "scheduler" ? this.overdueSince : "+inf";
    return {
      reply: PendingOrders,
      add: (pipeline) =>
        pipeline.zrange(PENDING_KEY, "-inf", until, {
          byScore: true,
          withScores: true,
          offset: this.#failed.size,
          count: BATCH_SIZE,
        }),
    };
  }

  #due(): PendingOrder[] {
    const now = this.#sweep.clock();
    return this.#pending.filter((order) => order.due <= now && this.#isOpen(order));
  }

  readonly #isOpen = ({ pk }: PendingOrder): boolean => !this.#unknown.has(pk) && !this.#failed.has(pk);

  /** While Redis refuses writes, one order tries whether it takes them again: any one, because it may have failed by itself. */
  #nextBatch(): PendingOrder[] {
    const due = this.#due();
    return this.#refused && due.length > 0 ? due.splice(randomInt(due.length), 1) : due;
  }

  /** Ends the run after a share of the stream if a group that reads has read none of it. Orders stay pending meanwhile. */
  async #letConsumersRead(): Promise<void> {
    const { redis, streamMaxLength } = this.#sweep;
    if (this.#announced < streamMaxLength * SHARE_OF_STREAM) return;
    const withLosses = await trimAnnouncements(redis, streamMaxLength);
    const groups = await groupsBehind(redis, this.#shareStartId, withLosses);
    this.#isPaused = groups.length > 0;
    if (this.#isPaused) logger.warn("Completions wait for consumer groups that are behind", { groups });
    this.#announced = 0;
  }

  #learn(batch: readonly PendingOrder[], completions: Completions, completedAt: number): void {
    const [codes, errors, firstId] = completions;
    const withCode = (code: CompletionCode) => batch.filter((_, index) => codes[index] === code);
    const pksOf = (orders: readonly PendingOrder[]) => orders.map(({ pk }) => pk);
    const completed = withCode(CompletionCode.completed);
    const unknown = pksOf(withCode(CompletionCode.unknown));
    if (this.#announced === 0) this.#shareStartId = firstId;
    this.#announced += completed.length;
    countMetric("OrdersCompletedBySweep", completed.length);
    for (const { due } of completed) durationMetric("CompletionLag", completedAt - due);
    if (completed.length > 0) logger.info("Orders completed by the sweep", { pks: pksOf(completed) });
    if (unknown.length > 0)
      logger.warn("Pending orders without an order were dropped from the index", { pks: unknown });
    reportFailures(pksOf(batch), completions);
    for (const pk of unknown) this.#unknown.add(pk);
    for (const pk of pksOf(withCode(CompletionCode.failed))) this.#failed.add(pk);
    this.#refused = errors.length === batch.length;
  }
}

/** @param overdueSince in ms since the epoch: orders that were due before are overdue */
async function reportLevels({ redis, streamMaxLength }: Sweep, overdueSince: number): Promise<void> {
  const overdueOrders: Command<number> = {
    reply: z.int(),
    add: (pipeline) => pipeline.zcount(PENDING_KEY, "-inf", overdueSince),
  };
  const replies = await runPipeline(redis, [overdueOrders, consumerLag, announcements]);
  reportGauge("OverdueOrders", replies, overdueOrders);
  reportGauge("ConsumerLag", replies, consumerLag);
  if (replies.of(announcements) > streamMaxLength) await trimAnnouncements(redis, streamMaxLength);
}
