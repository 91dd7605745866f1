import { z } from "zod";
import type { RedisEnv } from "../../lib/env/redis.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { redisFailure } from "../../lib/redis/failure.ts";
import { REFUND_STREAM } from "../../lib/redis/keys.ts";
import { redisTrouble } from "../redis-failure.ts";

const PAGE_SIZE = 500;

const REMEDY = "set ORDERS_UPSTASH_PORT, or UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, as npm start had them";

/** Before the first entry of every stream. */
const BEGINNING = "0-0";

/** Entries as Redis sends them: an id, then fields and values by turns. */
const Entries = z.array(z.tuple([z.string(), z.array(z.string())]));

/** An entry's fields, and its id as `id`. */
export type Entry = Readonly<Record<string, string>>;

/** The streams of the service, as others see them. Every method throws Failure when Redis does not do its part. */
export interface Streams {
  /** The id behind which every entry is new. */
  lastId(stream: string): Promise<string>;
  /** All entries behind the id `after`, oldest first. */
  entriesAfter(stream: string, after: string): Promise<Entry[]>;
  /** Asks for a refund as an inventory service does, and returns the id of the request. */
  requestRefund(fields: { readonly pk: string } & Readonly<Record<string, string>>): Promise<string>;
}

export function upstashStreams(env: RedisEnv): Streams {
  const redis = createRedis(env);

  async function lastId(stream: string): Promise<string> {
    const [last] = await attempt(async () => entries(await redis.xrevrange(stream, "+", "-", 1)));
    return last?.id ?? BEGINNING;
  }

  async function entriesAfter(stream: string, after: string): Promise<Entry[]> {
    const page = await attempt(async () => entries(await redis.xrange(stream, `(${after}`, "+", PAGE_SIZE)));
    const last = page.at(-1)?.id;
    return last === undefined || page.length < PAGE_SIZE ? page : [...page, ...(await entriesAfter(stream, last))];
  }

  function requestRefund(fields: Entry): Promise<string> {
    return attempt(() => redis.xadd(REFUND_STREAM, "*", fields));
  }

  async function attempt<Reply>(call: () => Promise<Reply>): Promise<Reply> {
    try {
      return await call();
    } catch (error) {
      throw redisTrouble(env.UPSTASH_REDIS_REST_URL, redisFailure(error), REMEDY);
    }
  }

  return { lastId, entriesAfter, requestRefund };
}

function entries(reply: unknown): Entry[] {
  return Entries.parse(reply).map(([id, words]) => {
    const fields: Record<string, string> = {};
    for (let at = 0; at + 1 < words.length; at += 2) fields[words[at] ?? ""] = words[at + 1] ?? "";
    return { ...fields, id };
  });
}
