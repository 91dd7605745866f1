import { json } from "node:stream/consumers";
import type { Redis } from "@upstash/redis";
import { expect, test } from "vitest";
import * as z from "zod";
import { type Command, runCommand, runPipeline, script, scriptCommand } from "../../lib/redis/commands.ts";
import { countedRedis } from "../support/proxy.ts";
import { answering } from "../support/servers.ts";
import { redisAt, useStore } from "../support/store.ts";

const store = useStore();
const append = script("return redis.call('APPEND', KEYS[1], ARGV[1])");
const read = script("return redis.call('GET', KEYS[1])");

const appending = (text: string) => scriptCommand(append, z.int(), ["key"], [text]);
const reading = () => scriptCommand(read, z.string().nullable(), ["key"], []);
const plain = (add: Command<unknown>["add"]): Command<unknown> => ({ reply: z.unknown(), add });

async function repliesTo(redis: Redis, commands: Command<unknown>[]): Promise<unknown[]> {
  const replies = await runPipeline(redis, commands);
  return commands.map((command) => replies.of(command));
}

test("commands run in their order, in one request, and replies come in that order", async () => {
  await runPipeline(store.redis, [appending(""), reading()]);
  const { redis, requests } = await countedRedis(store);

  const replies = await repliesTo(redis, [
    appending("a"),
    reading(),
    plain((pipeline) => pipeline.ping()),
    appending("b"),
  ]);

  expect(replies).toEqual([1, "a", "PONG", 2]);
  expect(requests()).toBe(1);
});

test("what the cache does not know runs in one second request, each once, with replies in the order given", async () => {
  await runPipeline(store.redis, [reading()]);
  const { redis, requests } = await countedRedis(store);

  const replies = await repliesTo(redis, [appending("a"), reading(), appending("b")]);

  expect(replies).toEqual([1, null, 2]);
  expect(await store.client.get("key")).toBe("ab");
  expect(requests()).toBe(2);
});

test("a cache that is emptied between the first and the second request is no failure", async () => {
  const { redis } = await countedRedis(store, () => store.client.scriptFlush());

  expect(await repliesTo(redis, [appending("a"), reading()])).toEqual([1, "a"]);
});

test("a command that fails throws Redis's reason where its reply is used, and its neighbours keep theirs", async () => {
  await store.client.rPush("list", "1");
  const [append, get] = [appending("a"), plain((pipeline) => pipeline.get("list"))];
  const set = plain((pipeline) => pipeline.set("other", "1"));

  const replies = await runPipeline(store.redis, [append, get, set]);

  expect([replies.of(append), replies.of(set)]).toEqual([1, "OK"]);
  expect(() => replies.of(get)).toThrow(
    expect.objectContaining({
      code: "redis_failed",
      cause: expect.objectContaining({ message: expect.stringMatching(/^WRONGTYPE/) }),
    }),
  );
});

test("a reply that its schema refuses is an error of ours", async () => {
  const command: Command<number> = { reply: z.int(), add: (pipeline) => pipeline.ping() };
  await expect(runCommand(store.redis, command)).rejects.toMatchObject({ code: "redis_invalid_reply" });
});

test.for([
  "LOADING Redis is loading the dataset in memory",
  "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
  "READONLY You can't write against a read only replica.",
  "ERR max requests limit exceeded",
])("a command that Redis refuses for a moment is sent again, its neighbours are not: %s", async (error) => {
  const sent: unknown[] = [];
  const url = await answering(async (request, response) => {
    const commands = z.array(z.array(z.unknown())).parse(await json(request));
    sent.push(commands.map(([name]) => name));
    const replies = commands.map(([name]) => (name === "get" && sent.length === 1 ? { error } : { result: name }));
    response.end(JSON.stringify(replies));
  });
  const [set, get] = [plain((pipeline) => pipeline.set("a", 1)), plain((pipeline) => pipeline.get("a"))];

  expect(await repliesTo(redisAt(url), [set, get])).toEqual(["set", "get"]);

  expect(sent).toEqual([["set", "get"], ["get"]]);
});

test("a command that Redis goes on refusing fails, and its neighbour's reply is kept", async () => {
  const error = "LOADING Redis is loading the dataset in memory";
  const url = await answering((_request, response) => response.end(JSON.stringify([{ error }, { result: 1 }])));
  const [get, ping] = [plain((pipeline) => pipeline.get("a")), plain((pipeline) => pipeline.ping())];

  const replies = await runPipeline(redisAt(url), [get, ping]);

  expect(replies.of(ping)).toBe(1);
  expect(() => replies.of(get)).toThrow("The Redis request failed");
});

test("strings that look like something else come back as they are", async () => {
  const texts = ["123", "1.0", "null", "true", "{}", '"a"', "OK", "T0s=", "", "ä\u{1F600}"];
  const echo = script("return ARGV");

  expect(await runCommand(store.redis, scriptCommand(echo, z.unknown(), [], texts))).toEqual(texts);
});
