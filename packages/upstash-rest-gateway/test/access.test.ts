import { describe, expect, test } from "vitest";
import { useRedis } from "../../../test/support/redis.ts";
import { accessProblem } from "../src/access.ts";
import { READ_ONLY_TOKEN, useGateway } from "./use-gateway.ts";

describe("tokens", () => {
  const redis = useRedis();
  const gateway = useGateway(redis);

  const READ_ONLY = { authorization: `Bearer ${READ_ONLY_TOKEN}` };

  describe("a request without a valid token gets 401", () => {
    test.each([
      { what: "no token", authorization: "" },
      { what: "a wrong token", authorization: "Bearer wrong" },
      { what: "another scheme", authorization: "Basic dGVzdC10b2tlbg==" },
    ])("$what", async ({ authorization }) => {
      for (const path of ["/", "/pipeline", "/multi-exec", "/get/key"]) {
        expect(await gateway.post(path, ["GET", "key"], { authorization })).toMatchObject({
          status: 401,
          json: { error: expect.stringMatching(/^WRONGPASS invalid or missing auth token/) },
        });
      }
    });
  });

  describe("a read-only token", () => {
    test.each([
      { name: "set", command: ["SET", "key", "1"] },
      { name: "del", command: ["del", "key"] },
      { name: "getex", command: ["GETEX", "key"] },
      { name: "xadd", command: ["XADD", "stream", "*", "a", "b"] },
      { name: "copy", command: ["COPY", "key", "copy"] },
      { name: "flushall", command: ["FLUSHALL"] },
      { name: "eval", command: ["EVAL", "return redis.call('SET', 'key', '1')", 0] },
      { name: "evalsha", command: ["EVALSHA", "0000000000000000000000000000000000000000", 0] },
      { name: "script|load", command: ["SCRIPT", "LOAD", "return 1"] },
      { name: "publish", command: ["PUBLISH", "channel", "message"] },
      { name: "scan", command: ["SCAN", 0] },
      { name: "keys", command: ["KEYS", "*"] },
    ])("is refused $name with NOPERM", async ({ name, command }) => {
      const error = `NOPERM this user has no permissions to run the '${name}' command or its subcommand`;

      expect(await gateway.post("/", command, READ_ONLY)).toMatchObject({ status: 400, json: { error } });
      expect(await gateway.post("/multi-exec", [command], READ_ONLY)).toMatchObject({ status: 400, json: { error } });
      expect(await gateway.post("/pipeline", [["PING"], command], READ_ONLY)).toMatchObject({
        status: 200,
        json: [{ result: "PONG" }, { error }],
      });
      expect(await redis.client.dbSize()).toBe(0);
    });

    test.each([
      { command: ["GET", "key"], result: "value" },
      { command: ["EVAL_RO", "return redis.call('GET', KEYS[1])", 1, "key"], result: "value" },
      { command: ["XRANGE", "stream", "-", "+"], result: [] },
      { command: ["HGETALL", "hash"], result: [] },
      { command: ["ECHO", "hello"], result: "hello" },
    ])("may run $command", async ({ command, result }) => {
      await redis.client.set("key", "value");

      expect(await gateway.post("/", command, READ_ONLY)).toMatchObject({ status: 200, json: { result } });
    });

    test("cannot write through EVAL_RO", async () => {
      const command = ["EVAL_RO", "return redis.call('SET', KEYS[1], '1')", 1, "key"];

      expect(await gateway.post("/", command, READ_ONLY)).toMatchObject({
        status: 400,
        json: { error: expect.stringContaining("Write commands are not allowed from read-only scripts") },
      });
    });
  });
});

describe("commands that are refused", () => {
  const redis = useRedis();
  const gateway = useGateway(redis);

  test.each([
    ["BLPOP", "list", 1],
    ["BRPOP", "list", 1],
    ["BLMOVE", "a", "b", "LEFT", "RIGHT", 1],
    ["BZPOPMIN", "sorted", 1],
    ["BLMPOP", 1, 1, "list", "LEFT"],
    ["XREAD", "COUNT", 1, "BLOCK", 1, "STREAMS", "stream", "$"],
    ["xreadgroup", "GROUP", "group", "consumer", "block", 1, "STREAMS", "stream", ">"],
    ["WAIT", 1, 1],
    ["SUBSCRIBE", "channel"],
    ["PSUBSCRIBE", "*"],
    ["SSUBSCRIBE", "channel"],
    ["MONITOR"],
    ["WATCH", "key"],
    ["MULTI"],
    ["EXEC"],
    ["DISCARD"],
    ["CLIENT", "REPLY", "OFF"],
    ["CLIENT", "KILL", "TYPE", "normal"],
    ["QUIT"],
    ["RESET"],
    ["HELLO", 3],
    ["SELECT", 1],
    ["AUTH", "password"],
  ])("%s, which needs a connection of its own, is refused", async (...command) => {
    const name = String(command[0]).toUpperCase();

    const answer = await gateway.post("/", command);

    expect(answer).toMatchObject({ status: 400 });
    expect(answer.json).toEqual({
      error: expect.stringMatching(new RegExp(`^ERR Command "${name}.*" is not allowed in REST`)),
    });
    expect(await gateway.post("/", ["PING"])).toMatchObject({ json: { result: "PONG" } });
  });

  test.each([
    ["SHUTDOWN", "NOSAVE"],
    ["DEBUG", "SLEEP", "0"],
    ["CONFIG", "SET", "maxmemory", "1"],
    ["REPLICAOF", "127.0.0.1", "1"],
    ["ACL", "SETUSER", "eve", "on"],
    ["SCRIPT", "DEBUG", "YES"],
    ["MIGRATE", "127.0.0.1", "1", "key", "0", "1000"],
    ["SWAPDB", "0", "1"],
    ["MOVE", "key", "1"],
    ["SORT", "key", "STORE", "other"],
    ["SORT_RO", "key"],
    ["NOPE", "argument"],
  ])("%s %s, which Upstash has not, is not available", async (...command) => {
    expect(await gateway.post("/", command)).toMatchObject({
      status: 400,
      json: { error: expect.stringMatching(/^ERR Command is not available: '/) },
    });
    expect(await redis.client.ping()).toBe("PONG");
  });

  test("MIGRATE is not available on a Redis that knows it either", () => {
    const categories = new Set(["@keyspace", "@write"]);
    const table = new Map([
      ["migrate", { flags: new Set(["write"]), categories, firstKey: 3, lastKey: 3, keyStep: 1 }],
    ]);

    expect(accessProblem(["MIGRATE"], table, "standard")).toContain("Command is not available: 'MIGRATE'");
  });

  test.each([
    ["COPY", "key", "copy", "DB", "1"],
    ["copy", "key", "copy", "replace", "db", "0"],
  ])("%s %s to another database is refused", async (...command) => {
    await redis.client.set("key", "value");

    expect(await gateway.post("/", command)).toMatchObject({
      status: 400,
      json: { error: "ERR DB index is out of range" },
    });
    expect(await redis.client.exists("copy")).toBe(0);
  });

  test("COPY within the database runs, even of a key named db", async () => {
    await redis.client.set("db", "value");

    expect((await gateway.post("/", ["COPY", "db", "DB", "REPLACE"])).json).toEqual({ result: 1 });
    expect(await redis.client.get("DB")).toBe("value");
  });

  test("no script of a Redis that this service starts reaches another database or server", async () => {
    const reach = (...words: string[]) => ["EVAL", "return redis.call(unpack(ARGV))", 0, ...words];

    for (const words of [
      ["SELECT", "1"],
      ["SWAPDB", "0", "1"],
      ["MOVE", "key", "1"],
      ["COPY", "key", "copy", "DB", "1"],
    ]) {
      await redis.client.set("key", "value");
      expect(await gateway.post("/", reach(...words))).toMatchObject({
        status: 400,
        json: { error: expect.stringContaining("index is out of range") },
      });
    }
    expect(await gateway.post("/", reach("MIGRATE", "127.0.0.1", "1", "key", "0", "1000"))).toMatchObject({
      status: 400,
      json: { error: expect.stringMatching(/unknown .*command/i) },
    });
  });

  test("XREAD and XREADGROUP without BLOCK run, even on a stream, group or consumer named block", async () => {
    await redis.client.xAdd("block", "1-1", { field: "value" });
    await redis.client.xGroupCreate("block", "block", "0");
    const entries = [["block", [["1-1", ["field", "value"]]]]];

    expect((await gateway.post("/", ["XREAD", "STREAMS", "block", 0])).json).toEqual({ result: entries });
    expect(
      (await gateway.post("/", ["XREADGROUP", "GROUP", "block", "block", "COUNT", 1, "STREAMS", "block", ">"])).json,
    ).toEqual({ result: entries });
  });
});
