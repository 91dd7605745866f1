import { Redis } from "@upstash/redis";
import { describe, expect, test } from "vitest";
import { useRedis } from "../../../test/support/redis.ts";
import { useGateway } from "./use-gateway.ts";

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
    await gateway.fetch("/", { method: "POST", body: '["RPUSH","list",1,-2.50,1e3,true,false,98765432109876543210]' });

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
