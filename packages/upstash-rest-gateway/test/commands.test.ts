import { Redis } from "@upstash/redis";
import { describe, expect, test } from "vitest";
import { useRedis } from "./redis.ts";
import { useGateway } from "./use-gateway.ts";

const BASE64 = { "upstash-encoding": "base64" };

const NOT_AN_INTEGER = { error: "ERR value is not an integer or out of range" };

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

  test("gets a new sync token with every answer", async () => {
    const tokens = [];
    for (let request = 0; request < 2; request += 1) {
      const { headers } = await fetch(`${gateway.url}/ping?_token=${gateway.clientConfig.token}`);
      tokens.push(headers.get("upstash-sync-token"));
    }
    expect(new Set(tokens).size).toBe(2);
    expect(tokens).not.toContain(null);
  });
});

test("a pipeline answers every command in order with the reply of RESP2, a failing one with an error inside the 200", async () => {
  const replies: [unknown[], unknown][] = [
    [["SET", "key", "abc"], { result: "OK" }],
    [["INCR", "key"], NOT_AN_INTEGER],
    [["SUBSCRIBE", "channel"], { error: expect.stringContaining('"SUBSCRIBE" is not allowed in REST') }],
    [["APPEND", "key", "def"], { result: 6 }],
    [["MGET", "key", "missing"], { result: ["abcdef", null] }],
    [["ZADD", "sorted", "1.5", "member"], { result: 1 }],
    [["ZRANGE", "sorted", 0, -1, "WITHSCORES"], { result: ["member", "1.5"] }],
    [["ZSCORE", "sorted", "member"], { result: "1.5" }],
    [["HSET", "hash", "field", "1"], { result: 1 }],
    [["HGETALL", "hash"], { result: ["field", "1"] }],
    [["TYPE", "hash"], { result: "hash" }],
  ];
  const answer = await gateway.post(
    "/pipeline",
    replies.map(([command]) => command),
  );
  expect(answer.status).toBe(200);
  expect(answer.json).toEqual(replies.map(([, outcome]) => outcome));
});

test("numbers and booleans are stored as they are written: the digits, not the nearest double", async () => {
  await gateway.fetch("/", { method: "POST", body: '["RPUSH","list",1,-2.50,1e3,true,98765432109876543210]' });
  expect(await redis.client.lRange("list", 0, -1)).toEqual(["1", "-2.50", "1e3", "true", "98765432109876543210"]);
});

test("a 64-bit integer comes back with all its digits", async () => {
  await gateway.post("/", ["SET", "counter", "-9223372036854775807"]);
  expect((await gateway.post("/", ["DECR", "counter"], BASE64)).text).toBe('{"result":-9223372036854775808}');
});

test("a command that Redis fails is a 400 with Redis's own error", async () => {
  await redis.client.set("text", "abc");
  const answer = { status: 400, json: NOT_AN_INTEGER };
  expect(await gateway.post("/", ["INCR", "text"])).toMatchObject(answer);
  expect(await gateway.post("/", ["INCR", "text"], BASE64)).toMatchObject(answer);
});

describe("a transaction", () => {
  test.each([
    [["SET", "key"], /^EXECABORT .*wrong number of arguments/],
    [["WATCH", "key"], /"WATCH" is not allowed in REST/],
    [["NOPE"], /Command is not available: 'NOPE'/],
  ])("with %j is discarded whole, with one error", async (command, error) => {
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
      const counted = [index * 10 + 1, index * 10 + 2].map((result) => ({ result }));
      expect((await transaction).json).toEqual([{ result: "OK" }, ...counted]);
    }
    for (const other of others) expect((await other).json).toEqual({ result: "OK" });
  });
});

describe("Upstash-Encoding: base64", () => {
  const encoded = (text: string) => Buffer.from(text).toString("base64");

  test("encodes every string but OK, those in nested arrays too, and leaves numbers and null", async () => {
    const script = "return {'a', {'b', {7, false, redis.status_reply('OK')}}}";

    expect((await gateway.post("/", ["SET", "key", "OK"], BASE64)).json).toEqual({ result: "OK" });
    expect((await gateway.post("/", ["GET", "key"], BASE64)).json).toEqual({ result: encoded("OK") });
    expect((await gateway.post("/", ["EVAL", script, 0], BASE64)).json).toEqual({
      result: [encoded("a"), [encoded("b"), [7, null, encoded("OK")]]],
    });
  });

  // In a transaction, too, a command that fails while it runs does not stop the others.
  test.each(["/pipeline", "/multi-exec"])("leaves errors plain at %s", async (path) => {
    const commands = [
      ["SET", "key", "abc"],
      ["INCR", "key"],
      ["GET", "key"],
    ];
    const outcomes = [{ result: "OK" }, NOT_AN_INTEGER, { result: encoded("abc") }];
    expect((await gateway.post(path, commands, BASE64)).json).toEqual(outcomes);
  });

  test("brings every byte back", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const outcome = { result: bytes.toString("base64") };
    expect(await gateway.fetch("/set/bytes", { method: "POST", body: bytes })).toMatchObject({
      json: { result: "OK" },
    });

    expect((await gateway.post("/", ["GET", "bytes"], BASE64)).json).toEqual(outcome);
    for (const path of ["/pipeline", "/multi-exec"]) {
      expect((await gateway.post(path, [["GET", "bytes"]], BASE64)).json).toEqual([outcome]);
    }
  });
});

test("without an encoding strings are plain, with invalid UTF-8 replaced", async () => {
  await gateway.fetch("/set/bytes", { method: "POST", body: Buffer.from([0x61, 0xff, 0x62]) });
  expect((await gateway.post("/", ["GET", "bytes"])).json).toEqual({ result: "a\ufffdb" });
});
