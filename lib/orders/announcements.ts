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

/** A consumer group whose consumers have not asked for this long does not read, and nobody waits for it. */
const MAX_IDLE_MS = 60_000;

/** How many entries the slowest consumer group of `order_completed` has not read or not acknowledged. Creates the stream if it is missing. */
export const consumerLag = scriptCommand(script(completedStreamLagLua), z.int(), [COMPLETED_STREAM], []);

/** How many entries `order_completed` has. */
export const announcements: Command<number> = { reply: z.int(), add: (pipeline) => pipeline.xlen(COMPLETED_STREAM) };

const unreadBeforeScript = script(unreadBeforeLua);
const UnreadBefore = z.tuple([z.string(), z.int(), z.array(z.tuple([z.string(), z.int()]))]);

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
 * @throws ServiceError `redis_failed`, `redis_invalid_reply`
 */
export async function trimAnnouncements(redis: Redis, keep: number): Promise<void> {
  let count: number;
  do {
    const command = scriptCommand(unreadBeforeScript, UnreadBefore, [COMPLETED_STREAM], [keep, TRIM_SIZE]);
    const [firstId, trimmed, unread] = await runCommand(redis, command);
    count = trimmed;
    if (count === 0) return;
    for (const [group, lost] of unread) {
      countMetric("AnnouncementsLost", lost);
      logger.error("Completed orders are trimmed that a consumer group has not read", { group, lost, before: firstId });
    }
    await runCommand(redis, {
      reply: z.int(),
      add: (pipeline) => pipeline.xtrim(COMPLETED_STREAM, { strategy: "MINID", threshold: firstId, exactness: "=" }),
    });
  } while (count === TRIM_SIZE);
}

/**
 * The consumer groups that read, and have not read as far as this entry. By ids, which Redis gives: the clock of the caller may be
 * seconds off.
 * @param id of an entry of `order_completed`
 * @throws ServiceError `redis_failed`, `redis_invalid_reply`
 */
export async function groupsBehind(redis: Redis, id: string): Promise<string[]> {
  const groups = await runCommand(
    redis,
    infoCommand((pipeline) => pipeline.xinfo(COMPLETED_STREAM, { type: "GROUPS" })),
  );
  const behind = groups.filter((group) => isBefore(String(group.get("last-delivered-id")), id));
  const names = behind.map((group) => String(group.get("name")));
  const reading = await Promise.all(names.map((group) => isReading(redis, group)));
  return names.filter((_, index) => reading[index]);
}

async function isReading(redis: Redis, group: string): Promise<boolean> {
  const command = infoCommand((pipeline) => pipeline.xinfo(COMPLETED_STREAM, { type: "CONSUMERS", group }));
  return (await runCommand(redis, command)).some((consumer) => Number(consumer.get("idle")) < MAX_IDLE_MS);
}

function infoCommand(add: Command<z.infer<typeof Info>>["add"]): Command<z.infer<typeof Info>> {
  return { reply: Info, add };
}

/** Whether an id of a stream (`ms-sequence`) is smaller than another. */
function isBefore(id: string, other: string): boolean {
  const [ms = 0n, sequence = 0n] = id.split("-").map(BigInt);
  const [otherMs = 0n, otherSequence = 0n] = other.split("-").map(BigInt);
  return ms < otherMs || (ms === otherMs && sequence < otherSequence);
}
