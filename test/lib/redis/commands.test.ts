import type { RequestListener } from "node:http";
import { json as readJson } from "node:stream/consumers";
import { inspect } from "node:util";
import type { Redis } from "@upstash/redis";
import { describe, expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { INSTANCE_FAULTS, passOn, REDIS_FAULTS } from "../../../lab/chaos/call-faults.ts";
import { startProxy } from "../../../lab/chaos/proxy.ts";
import { completeOrder } from "../../../lib/orders/complete-orders.ts";
import {
  type Command,
  MAX_PIPELINE_MS,
  redisFailure,
  runCommand,
  runPipeline,
  script,
  scriptCommand,
} from "../../../lib/redis/commands.ts";
import { newPk, STREAM_MAX_LENGTH } from "../../support/orders.ts";
import { answering, half, json, refused, text } from "../../support/servers.ts";
import { countedRedis, redisAt, useStore } from "../../support/store.ts";

const store = useStore();

const append = script("return redis.call('APPEND', KEYS[1], ARGV[1])");
const read = script("return redis.call('GET', KEYS[1])");

const appending = (text: string) => scriptCommand(append, z.int(), ["key"], [text]);
const reading = () => scriptCommand(read, z.string().nullable(), ["key"], []);
const plain = (add: Command<unknown>["add"]): Command<unknown> => ({ reply: z.unknown(), add });
const ping = plain((pipeline) => pipeline.ping());

async function repliesTo(redis: Redis, commands: Command<unknown>[]): Promise<unknown[]> {
  const replies = await runPipeline(redis, commands);
  return commands.map((command) => replies.of(command));
}

test("commands run in their order, in one request, and replies come in that order", async () => {
  await runPipeline(store.redis, [appending(""), reading()]);
  const { redis, requests } = await countedRedis(store);

  const replies = await repliesTo(redis, [appending("a"), reading(), ping, appending("b")]);

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
])("a command that Redis refuses for a moment is sent again, its neighbours are not: %s", async (error) => {
  const sent: unknown[] = [];
  const url = await answering(async (request, response) => {
    const commands = z.array(z.array(z.unknown())).parse(await readJson(request));
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
  const get = plain((pipeline) => pipeline.get("a"));

  const replies = await runPipeline(redisAt(url), [get, ping]);

  expect(replies.of(ping)).toBe(1);
  expect(() => replies.of(get)).toThrow("The Redis request failed");
});

test("strings that look like something else come back as they are", async () => {
  const texts = ["123", "1.0", "null", "true", "{}", '"a"', "OK", "T0s=", "", "ä\u{1F600}"];
  const echo = script("return ARGV");

  expect(await runCommand(store.redis, scriptCommand(echo, z.unknown(), [], texts))).toEqual(texts);
});

test.for<[string, RequestListener, object, least: number, most: number]>([
  ["never answers", () => undefined, { name: "TimeoutError" }, 1, 2],
  ["goes on failing", json(500, { error: "ERR busy" }), { message: "ERR busy" }, 2, 5],
  ["refuses the token", json(401, { error: "WRONGPASS invalid token" }), { message: "WRONGPASS invalid token" }, 1, 1],
  ["refuses the user", json(401, { error: "NOPERM no permissions" }), { message: "NOPERM no permissions" }, 1, 1],
  ["knows no token", json(401, { error: "Unauthorized" }), { message: "Unauthorized" }, 1, 1],
])(
  "a server that %s gets a few requests at most, and the last failure is reported in time",
  async ([, respond, cause, least, most]) => {
    let requests = 0;
    const url = await answering((request, response) => {
      requests += 1;
      respond(request, response);
    });
    const startedAt = performance.now();

    await expect(runCommand(redisAt(url), ping)).rejects.toMatchObject({ code: "redis_failed", cause });

    expect(performance.now() - startedAt).toBeLessThan(MAX_PIPELINE_MS);
    expect(requests).toBeGreaterThanOrEqual(least);
    expect(requests).toBeLessThanOrEqual(most);
  },
);

test("a request carries the token and the last sync token that a reply had, so that it reads its own writes", async () => {
  const received: unknown[] = [];
  const replied = ["first", "second", undefined, "third"];
  const url = await answering((request, response) => {
    received.push([request.headers.authorization, request.headers["upstash-sync-token"]]);
    const syncToken = replied[received.length - 1];
    if (syncToken !== undefined) response.setHeader("upstash-sync-token", syncToken);
    json(200, [{ result: "PONG" }])(request, response);
  });
  const redis = redisAt(url, "the-token");

  for (const _ of replied) await runCommand(redis, ping);

  const bearer = "Bearer the-token";
  expect(received).toEqual([
    [bearer, undefined],
    [bearer, "first"],
    [bearer, "second"],
    [bearer, "second"],
  ]);
});

test("each fault that the fault suite knows is survived, and what was asked for is done once", async () => {
  const faults = Object.entries({ ...REDIS_FAULTS, frozen_for_a_while: INSTANCE_FAULTS.frozen_for_a_while });
  const outcomes = await Promise.all(
    faults.map(async ([name, strike]) => {
      let calls = 0;
      const proxy = await startProxy(store.url, async (call) => {
        calls += 1;
        await (calls === 1 ? strike : passOn)({ call, instance: undefined });
      });
      onTestFinished(() => proxy.stop());
      const redis = redisAt(proxy.url, store.token);
      const pk = newPk();
      await store.client.hSet(`order:${pk}`, { pk, product_id: "tea", quantity: "1", status: "pending" });

      await completeOrder({ redis, streamMaxLength: STREAM_MAX_LENGTH }, { pk }, 0);

      return [name, await store.client.hGet(`order:${pk}`, "status")];
    }),
  );

  expect(outcomes).toEqual(faults.map(([name]) => [name, "completed"]));
  expect(await store.client.xLen("order_completed")).toBe(faults.length);
});

test.for([{ result: "T0s=" }, [], [{ result: 1 }, { result: 2 }], null, "text", 1])(
  "an answer that is no pipeline's is an error of ours, not a crash: %o",
  async (body) => {
    const url = await answering(json(200, body));

    await expect(runCommand(redisAt(url), reading())).rejects.toMatchObject({
      code: expect.stringMatching(/^redis_(failed|invalid_reply)$/),
    });
  },
);

describe("errors", () => {
  const TOKEN = "secret-token";
  const SECRET = "secret-argument";

  /** The failure of one request, as the service logs it. */
  async function failureAt(url: string): Promise<Error> {
    return redisAt(url, TOKEN)
      .pipeline()
      .set(SECRET, SECRET)
      .hgetall(`order:${SECRET}`)
      .exec()
      .then((reply) => expect.unreachable(`It replied ${reply}`), redisFailure);
  }

  test.for<[string, () => Promise<string>, RegExp]>([
    ["a refused token", async () => store.url, /WRONGPASS/],
    ["a refused connection", refused, /ECONNREFUSED/],
    ["a status of failure without a reason", () => answering(json(503, {})), /HTTP status 503/],
    ["half an answer", () => answering(half(`[{"result":"${SECRET}`)), /aborted/],
    ["no HTTP", () => answering(({ socket }) => socket.end(`${SECRET}\r\n\r\n`)), /Parse Error/],
    ["a page instead of JSON", () => answering(text(502, `<html>${SECRET}</html>`)), /is not JSON/],
    ["JSON that is cut off", () => answering(text(200, `{"result":"${SECRET}`)), /is not JSON/],
  ])("%s is redis_failed, and tells nothing of command, arguments, token or body", async ([, server, reason]) => {
    const error = await failureAt(await server());

    expect(error).toMatchObject({ name: "ServiceError", code: "redis_failed" });
    expect(inspect(error)).toMatch(reason);
    expect(inspect(error, { depth: null, showHidden: true })).not.toMatch(/secret|hgetall|order:|\bset\b/i);
  });

  test("a refused connection to a name with several addresses names the cause", () => {
    const cause = new AggregateError([
      new Error("connect ECONNREFUSED 127.0.0.1"),
      new Error("connect ECONNREFUSED ::1"),
    ]);

    expect(redisFailure(cause).cause).toMatchObject({
      message: "connect ECONNREFUSED 127.0.0.1; connect ECONNREFUSED ::1",
    });
  });

  test.for(["text", undefined, { message: "secret" }])("what is thrown and is no error tells nothing: %o", (thrown) => {
    expect(redisFailure(thrown)).toMatchObject({
      code: "redis_failed",
      cause: { message: "A value that is not an Error was thrown" },
    });
  });
});
