import { RESP_TYPES } from "@redis/client";
import * as z from "zod";
import { pairsOf } from "../../lib/redis/pairs.ts";
import type { TestRedisClient } from "./redis.ts";

/** What a key holds. Strings are latin1, one character a byte, so that two dumps differ where their bytes do. */
export interface KeyDump {
  readonly type: string;
  readonly expires: boolean;
  readonly content: unknown;
}

const Text = z.instanceof(Buffer).transform((bytes) => bytes.toString("latin1"));
const Texts = z.array(Text);
const Entries = z.array(z.tuple([Text, Texts]));
const Scores = z.array(z.tuple([Text, z.number()]));
const PendingEntries = z.array(z.tuple([Text, Text, z.number(), z.number()]));
const Groups = z.array(z.array(z.unknown()));

/**
 * Everything in the database, by key: two equal dumps mean that nothing was written between them. Of a consumer group it
 * has the last id delivered and who holds which entry, but no idle times, which change by themselves.
 */
export async function dumpKeyspace(client: TestRedisClient): Promise<Record<string, KeyDump>> {
  const raw = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.MAP]: Array });
  const ask = (...command: [string, ...string[]]): Promise<unknown> => raw.sendCommand(command);

  async function content(key: string, type: string): Promise<unknown> {
    if (type === "string") return Text.parse(await ask("GET", key));
    if (type === "list") return Texts.parse(await ask("LRANGE", key, "0", "-1"));
    if (type === "hash") return pairs(Texts.parse(await ask("HGETALL", key))).sort();
    if (type === "zset") return Scores.parse(await ask("ZRANGE", key, "0", "-1", "WITHSCORES"));
    if (type !== "stream") throw new Error(`Not known to the dump: ${type}`);
    const groups = Groups.parse(await ask("XINFO", "GROUPS", key));
    return {
      entries: Entries.parse(await ask("XRANGE", key, "-", "+")),
      groups: await Promise.all(groups.map((group) => groupDump(key, group))),
    };
  }

  async function groupDump(key: string, flat: readonly unknown[]) {
    const [name, lastDelivered] = ["name", "last-delivered-id"].map((field) =>
      Text.parse(flat[flat.findIndex((value) => String(value) === field) + 1]),
    );
    const pending = PendingEntries.parse(await ask("XPENDING", key, String(name), "-", "+", "100000"));
    return { name, lastDelivered, pending: pending.map(([id, consumer]) => [id, consumer]) };
  }

  const dump: Record<string, KeyDump> = {};
  for (const key of (await client.keys("*")).sort()) {
    const [type, ttl] = [await client.type(key), await client.pTTL(key)];
    dump[key] = { type, expires: ttl >= 0, content: await content(key, type) };
  }
  return dump;
}

/** The fields of an entry or a hash, in turn a name and its value. */
export function pairs(flat: readonly string[]): [string, string][] {
  return pairsOf(flat).map(([name, value = ""]) => [name, value]);
}
