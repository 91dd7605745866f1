import { Redis } from "@upstash/redis";
import { describe, expect, test } from "vitest";
import { useRedis } from "../../../test/support/redis.ts";
import { TOKEN, useGateway } from "./use-gateway.ts";

describe("the official client", () => {
  const redis = useRedis();
  const gateway = useGateway(redis);

  describe("the official client", () => {
    test("reads back what it wrote, of every type of value", async () => {
      const client = new Redis(gateway.clientConfig);

      await client.set("string", "snow ☃ and \u0000");
      await client.hset("hash", { a: 1, b: "two", c: { deep: [true, null] } });
      await client.zadd("sorted", { score: 1.5, member: "x" }, { score: 2, member: "y" });
      const id = await client.xadd("stream", "*", { field: "value" });

      expect(await client.get("string")).toBe("snow ☃ and \u0000");
      expect(await client.hgetall("hash")).toEqual({ a: 1, b: "two", c: { deep: [true, null] } });
      expect(await client.zrange("sorted", 0, -1, { withScores: true })).toEqual(["x", 1.5, "y", 2]);
      expect(await client.xrange("stream", "-", "+")).toEqual({ [String(id)]: { field: "value" } });
    });

    test("runs a script from the cache once the cache has it", async () => {
      const client = new Redis(gateway.clientConfig);
      const script = client.createScript<string>("return ARGV[1] .. KEYS[1]");

      expect(await script.exec(["key"], ["argument-"])).toBe("argument-key");
      expect(await client.scriptExists(script.sha1)).toEqual([1]);
      expect(await client.evalsha(script.sha1, ["key"], ["again-"])).toBe("again-key");
    });

    test("gets a new sync token with every answer", async () => {
      const first = await fetch(`${gateway.url}/ping?_token=test-token`);
      const second = await fetch(`${gateway.url}/ping?_token=test-token`);

      expect(first.headers.get("upstash-sync-token")).toMatch(/./);
      expect(second.headers.get("upstash-sync-token")).not.toBe(first.headers.get("upstash-sync-token"));
    });
  });

  describe("replies have the shapes of RESP2", () => {
    test.each([
      { command: ["HGETALL", "hash"], result: ["field", "1"] },
      { command: ["ZRANGE", "sorted", 0, -1, "WITHSCORES"], result: ["member", "1.5"] },
      { command: ["ZSCORE", "sorted", "member"], result: "1.5" },
      { command: ["MGET", "number", "missing"], result: ["7", null] },
      { command: ["GET", "missing"], result: null },
      { command: ["TYPE", "hash"], result: "hash" },
      { command: ["EXISTS", "hash"], result: 1 },
      { command: ["PING"], result: "PONG" },
    ])("$command", async ({ command, result }) => {
      await redis.client.hSet("hash", "field", "1");
      await redis.client.zAdd("sorted", { score: 1.5, value: "member" });
      await redis.client.set("number", "7");

      expect(await gateway.post("/", command)).toMatchObject({ status: 200, json: { result } });
    });
  });

  describe("arguments", () => {
    test("numbers and booleans are stored as they are written", async () => {
      await gateway.fetch("/", {
        method: "POST",
        body: '["RPUSH","list",1,-2.50,1e3,true,false,98765432109876543210]',
      });

      expect(await redis.client.lRange("list", 0, -1)).toEqual(
        ["1", "-2.50", "1e3", "true", "false", "98765432109876543210"], // the digits, not the nearest double
      );
    });

    test("a 64-bit integer comes back with all its digits", async () => {
      await gateway.post("/", ["SET", "counter", "-9223372036854775807"]);

      const { text } = await gateway.post("/", ["DECR", "counter"], { "upstash-encoding": "base64" });

      expect(text).toBe('{"result":-9223372036854775808}');
    });

    test("a command that Redis fails is a 400 with Redis's own error", async () => {
      await redis.client.set("text", "abc");

      expect(await gateway.post("/", ["INCR", "text"])).toMatchObject({
        status: 400,
        json: { error: "ERR value is not an integer or out of range" },
      });
    });
  });
});

describe("pipelines and transactions", () => {
  const redis = useRedis();
  const gateway = useGateway(redis);

  describe("a pipeline", () => {
    test("answers every command in order, a failing one with an error inside the 200", async () => {
      const answer = await gateway.post("/pipeline", [
        ["SET", "key", "abc"],
        ["INCR", "key"],
        ["SUBSCRIBE", "channel"],
        ["APPEND", "key", "def"],
        ["GET", "key"],
      ]);

      expect(answer).toMatchObject({ status: 200 });
      expect(answer.json).toEqual([
        { result: "OK" },
        { error: "ERR value is not an integer or out of range" },
        { error: expect.stringContaining('"SUBSCRIBE" is not allowed in REST') },
        { result: 6 },
        { result: "abcdef" },
      ]);
    });

    test("of the official client keeps the order of a thousand commands", async () => {
      const pipeline = new Redis(gateway.clientConfig).pipeline();
      const numbers = Array.from({ length: 1000 }, (_, index) => index);
      for (const number of numbers) pipeline.rpush("list", number);

      expect(await pipeline.exec()).toEqual(numbers.map((number) => number + 1));
      expect(await redis.client.lRange("list", 0, -1)).toEqual(numbers.map(String));
    });
  });

  describe("a transaction", () => {
    test("answers every command, and one that fails while it runs does not stop the others", async () => {
      const answer = await gateway.post("/multi-exec", [
        ["SET", "key", "abc"],
        ["INCR", "key"],
        ["GET", "key"],
      ]);

      expect(answer).toMatchObject({ status: 200 });
      expect(answer.json).toEqual([
        { result: "OK" },
        { error: "ERR value is not an integer or out of range" },
        { result: "abc" },
      ]);
    });

    test.each([
      {
        fault: "a wrong number of arguments",
        command: ["SET", "key"],
        error: /^EXECABORT .*wrong number of arguments/,
      },
      { fault: "a refused command", command: ["WATCH", "key"], error: /"WATCH" is not allowed in REST/ },
      { fault: "an unknown command", command: ["NOPE"], error: /Command is not available: 'NOPE'/ },
    ])("with $fault is discarded whole, with one error", async ({ command, error }) => {
      const answer = await gateway.post("/multi-exec", [["SET", "other", "1"], command]);

      expect(answer).toMatchObject({ status: 400, json: { error: expect.stringMatching(error) } });
      expect(await redis.client.exists("other")).toBe(0);
      expect(await gateway.post("/", ["PING"])).toMatchObject({ json: { result: "PONG" } });
    });

    test("is never mixed with other requests", async () => {
      // Each transaction sees the counter it set itself, unless another command came between.
      const transactions = Array.from({ length: 200 }, (_, index) =>
        gateway.post("/multi-exec", [
          ["SET", "counter", index * 10],
          ["INCR", "counter"],
          ["INCR", "counter"],
        ]),
      );
      const others = Array.from({ length: 200 }, () => gateway.post("/", ["SET", "counter", "-1000000"]));

      for (const [index, transaction] of transactions.entries()) {
        expect((await transaction).json).toEqual([
          { result: "OK" },
          { result: index * 10 + 1 },
          { result: index * 10 + 2 },
        ]);
      }
      for (const other of others) expect((await other).json).toEqual({ result: "OK" });
    });
  });
});

describe("encoding", () => {
  const redis = useRedis();
  const gateway = useGateway(redis);

  const BASE64 = { "upstash-encoding": "base64" };
  const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

  function encoded(text: string): string {
    return Buffer.from(text).toString("base64");
  }

  describe("Upstash-Encoding: base64", () => {
    test("encodes every string but OK", async () => {
      expect((await gateway.post("/", ["SET", "key", "OK"], BASE64)).json).toEqual({ result: "OK" });
      expect((await gateway.post("/", ["GET", "key"], BASE64)).json).toEqual({ result: encoded("OK") });
      expect((await gateway.post("/", ["PING"], BASE64)).json).toEqual({ result: encoded("PONG") });
    });

    test("encodes the strings inside nested arrays, and leaves numbers and null", async () => {
      const script = "return {'a', {'b', {7, false, redis.status_reply('OK')}}}";

      const { json } = await gateway.post("/", ["EVAL", script, 0], BASE64);

      expect(json).toEqual({ result: [encoded("a"), [encoded("b"), [7, null, encoded("OK")]]] });
    });

    test("leaves errors plain, in a pipeline and in a transaction too", async () => {
      const commands = [
        ["SET", "key", "abc"],
        ["INCR", "key"],
        ["GET", "key"],
      ];
      const outcomes = [
        { result: "OK" },
        { error: "ERR value is not an integer or out of range" },
        { result: encoded("abc") },
      ];

      expect((await gateway.post("/pipeline", commands, BASE64)).json).toEqual(outcomes);
      expect((await gateway.post("/multi-exec", commands, BASE64)).json).toEqual(outcomes);
      expect((await gateway.post("/", ["INCR", "key"], BASE64)).json).toEqual(outcomes[1]);
    });

    test("brings every byte back", async () => {
      const headers = { authorization: `Bearer ${TOKEN}` };
      const stored = await gateway.fetch("/set/bytes", { method: "POST", body: EVERY_BYTE, headers });
      const { json } = await gateway.post("/", ["GET", "bytes"], BASE64);

      expect(stored.json).toEqual({ result: "OK" });
      expect(json).toEqual({ result: EVERY_BYTE.toString("base64") });
    });

    test("brings every byte back from a pipeline and a transaction", async () => {
      await gateway.fetch("/set/bytes", { method: "POST", body: EVERY_BYTE });

      for (const path of ["/pipeline", "/multi-exec"]) {
        expect((await gateway.post(path, [["GET", "bytes"]], BASE64)).json).toEqual([
          { result: EVERY_BYTE.toString("base64") },
        ]);
      }
    });
  });

  test("without it strings are plain, with invalid UTF-8 replaced", async () => {
    await gateway.fetch("/set/bytes", { method: "POST", body: Buffer.from([0x61, 0xff, 0x62]) });

    expect((await gateway.post("/", ["GET", "bytes"])).json).toEqual({ result: "a\ufffdb" });
  });
});
