import { expect, test } from "vitest";
import { runPipeline, scriptCommand } from "../../lib/redis/pipeline.ts";
import { script } from "../../lib/redis/script.ts";
import { countedRedis } from "../support/proxy.ts";
import { useStore } from "../support/store.ts";

const store = useStore();
const append = script("return redis.call('APPEND', KEYS[1], ARGV[1])");
const read = script("return redis.call('GET', KEYS[1])");

const appending = (text: string) => scriptCommand(append, ["key"], [text]);
const reading = () => scriptCommand(read, ["key"], []);

test("commands run in their order, in one request, and replies come in that order", async () => {
  await runPipeline(store.redis, [appending(""), reading()]);
  const { redis, requests } = await countedRedis(store);

  const replies = await runPipeline(redis, [appending("a"), reading(), (commands) => commands.ping(), appending("b")]);

  expect(replies).toEqual([1, "a", "PONG", 2]);
  expect(requests()).toBe(1);
});

test("what the cache does not know runs in one second request, each once, with replies in the order given", async () => {
  await runPipeline(store.redis, [reading()]);
  const { redis, requests } = await countedRedis(store);

  const replies = await runPipeline(redis, [appending("a"), reading(), appending("b")]);

  expect(replies).toEqual([1, null, 2]);
  expect(await store.client.get("key")).toBe("ab");
  expect(requests()).toBe(2);
});

test("a cache that is emptied between the first and the second request is no failure", async () => {
  const { redis } = await countedRedis(store, () => store.client.scriptFlush());

  expect(await runPipeline(redis, [appending("a"), reading()])).toEqual([1, "a"]);
});

test("a command that fails is thrown with Redis's reason, after its neighbours ran", async () => {
  await store.client.rPush("list", "1");

  const running = runPipeline(store.redis, [
    appending("a"),
    (commands) => commands.get("list"),
    (commands) => commands.set("other", "1"),
  ]);

  await expect(running).rejects.toMatchObject({
    code: "redis_failed",
    cause: { message: expect.stringMatching(/^WRONGTYPE/) },
  });
  expect(await store.client.mGet(["key", "other"])).toEqual(["a", "1"]);
});

test("strings that look like something else come back as they are", async () => {
  const texts = ["123", "1.0", "null", "true", "{}", '"a"', "OK", "T0s=", "", "ä\u{1F600}"];
  const echo = script("return ARGV");

  expect(await runPipeline(store.redis, [scriptCommand(echo, [], texts)])).toEqual([texts]);
});
