import type { Redis } from "@upstash/redis";
import * as z from "zod/mini";
import { type Command, runCommand, script, scriptCommand } from "../redis/commands.ts";
import { COMPLETED_STREAM } from "../redis/keys.ts";
import { pairsOf } from "../redis/pairs.ts";
import { countMetric, logger } from "../telemetry.ts";
import completedStreamLagLua from "./completed-stream-lag.lua" with { type: "text" };
import unreadBeforeLua from "./unread-before.lua" with { type: "text" };

/** One script reads this many entries, in about 2 ms. */
const TRIM_SIZE = 1_000;

/** A consumer group that has had something to read for this long, and whose consumers have not asked for as long, does not read. */
const MAX_IDLE_MS = 60_000;

/** How many entries the slowest consumer group of `order_completed` has not read or not acknowledged. Creates the stream if it is missing. */
export const consumerLag = scriptCommand(script(completedStreamLagLua), z.int(), [COMPLETED_STREAM], []);

/** How many entries `order_completed` has. */
export const announcements: Command<number> = { reply: z.int(), add: (pipeline) => pipeline.xlen(COMPLETED_STREAM) };

const unreadBeforeScript = script(unreadBeforeLua);
const UnreadBefore = z.tuple([z.string(), z.int(), z.array(z.tuple([z.string(), z.int()]))]);

/** Entries, of which only the ids are of interest. */
const Ids = z.pipe(
  z.array(z.tuple([z.string(), z.unknown()])),
  z.transform((entries) => entries.map(([id]) => id)),
);

/** What Redis tells of each group or consumer. */
const Info = z.array(
  z.pipe(
    z.array(z.union([z.string(), z.number(), z.null()])),
    z.transform((flat) => new Map(pairsOf(flat))),
  ),
);

/**
 * Trims `order_completed` to about `keep` entries. Entries that a consumer group had not read are lost for it: they are counted and
 * logged with the group's name before they go, so that a lost reply hides nothing. Two runs that overlap may count the same ones.
 * @returns the groups that lost entries
 * @throws ServiceError `redis_failed`, `redis_invalid_reply`
 */
export async function trimAnnouncements(redis: Redis, keep: number): Promise<Set<string>> {
  const withLosses = new Set<string>();
  let count: number;
  do {
    const command = scriptCommand(unreadBeforeScript, UnreadBefore, [COMPLETED_STREAM], [keep, TRIM_SIZE]);
    const [firstId, trimmed, unread] = await runCommand(redis, command);
    count = trimmed;
    if (count === 0) break;
    for (const [group, lost] of unread) {
      withLosses.add(group);
      countMetric("AnnouncementsLost", lost);
      logger.error("Completed orders are trimmed that a consumer group has not read", { group, lost, before: firstId });
    }
    await runCommand(redis, {
      reply: z.int(),
      add: (pipeline) => pipeline.xtrim(COMPLETED_STREAM, { strategy: "MINID", threshold: firstId, exactness: "=" }),
    });
  } while (count === TRIM_SIZE);
  return withLosses;
}

/**
 * The consumer groups that read, and have not read as far as this entry. By ids, which Redis gives: the clock of the caller may be
 * seconds off.
 * @param id of an entry of `order_completed` that was added in the last minutes
 * @param withLosses groups that just lost entries: they had something to read all the time
 * @throws ServiceError `redis_failed`, `redis_invalid_reply`
 */
export async function groupsBehind(redis: Redis, id: string, withLosses: ReadonlySet<string>): Promise<string[]> {
  const groups = await runCommand(
    redis,
    infoCommand((pipeline) => pipeline.xinfo(COMPLETED_STREAM, { type: "GROUPS" })),
  );
  const behind = groups
    .map((group) => ({ name: String(group.get("name")), lastId: String(group.get("last-delivered-id")) }))
    .filter(({ lastId }) => isBefore(lastId, id));
  const reading = await Promise.all(
    behind.map(
      async ({ name, lastId }) =>
        (await isReading(redis, name)) || (!withLosses.has(name) && (await wasIdle(redis, lastId, id))),
    ),
  );
  return behind.filter((_, index) => reading[index]).map(({ name }) => name);
}

/**
 * Whether a group had nothing to read until shortly before an entry was added. Before Redis 7.2 its consumers then look as if they
 * did not read: their `idle` is the time since they got something (https://redis.io/docs/latest/commands/xinfo-consumers/).
 */
async function wasIdle(redis: Redis, lastId: string, id: string): Promise<boolean> {
  const [firstUnread = id] = await runCommand(redis, {
    reply: Ids,
    add: (pipeline) => pipeline.xrange(COMPLETED_STREAM, `(${lastId}`, "+", 1),
  });
  return timeOf(firstUnread) > timeOf(id) - MAX_IDLE_MS;
}

async function isReading(redis: Redis, group: string): Promise<boolean> {
  const command = infoCommand((pipeline) => pipeline.xinfo(COMPLETED_STREAM, { type: "CONSUMERS", group }));
  return (await runCommand(redis, command)).some((consumer) => Number(consumer.get("idle")) < MAX_IDLE_MS);
}

/** The time in the id of an entry, in ms since the epoch. */
const timeOf = (id: string): number => Number(id.split("-")[0]);

function infoCommand(add: Command<z.infer<typeof Info>>["add"]): Command<z.infer<typeof Info>> {
  return { reply: Info, add };
}

/** Whether an id of a stream (`ms-sequence`) is smaller than another. */
function isBefore(id: string, other: string): boolean {
  const [ms = 0n, sequence = 0n] = id.split("-").map(BigInt);
  const [otherMs = 0n, otherSequence = 0n] = other.split("-").map(BigInt);
  return ms < otherMs || (ms === otherMs && sequence < otherSequence);
}
