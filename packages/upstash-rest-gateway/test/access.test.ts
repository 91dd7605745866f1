import { describe, expect, test } from "vitest";
import { accessProblem } from "../src/access.ts";
import { useRedis } from "./redis.ts";
import { READ_ONLY_TOKEN, useGateway } from "./use-gateway.ts";

const READ_ONLY = { authorization: `Bearer ${READ_ONLY_TOKEN}` };

const redis = useRedis();
const gateway = useGateway(redis);

const refused = (error: unknown) => ({ status: 400, json: { error } });

test.each(["", "Bearer wrong", "Basic dGVzdC10b2tlbg=="])("the authorization %j gets 401", async (authorization) => {
  for (const path of ["/", "/pipeline", "/multi-exec", "/get/key", "/subscribe/channel"]) {
    expect(await gateway.post(path, ["GET", "key"], { authorization })).toMatchObject({
      status: 401,
      json: { error: expect.stringMatching(/^WRONGPASS invalid or missing auth token/) },
    });
  }
});

describe("a read-only token", () => {
  test.each([
    ["set", ["SET", "key", "1"]],
    ["del", ["del", "key"]],
    ["getex", ["GETEX", "key"]],
    ["xadd", ["XADD", "stream", "*", "a", "b"]],
    ["copy", ["COPY", "key", "copy"]],
    ["flushall", ["FLUSHALL"]],
    ["eval", ["EVAL", "return redis.call('SET', 'key', '1')", 0]],
    ["evalsha", ["EVALSHA", "0000000000000000000000000000000000000000", 0]],
    ["script|load", ["SCRIPT", "LOAD", "return 1"]],
    ["publish", ["PUBLISH", "channel", "message"]],
    ["scan", ["SCAN", 0]],
    ["keys", ["KEYS", "*"]],
  ])("is refused %s with NOPERM", async (name, command) => {
    const error = `NOPERM this user has no permissions to run the '${name}' command or its subcommand`;

    expect(await gateway.post("/", command, READ_ONLY)).toMatchObject(refused(error));
    expect(await gateway.post("/multi-exec", [command], READ_ONLY)).toMatchObject(refused(error));
    expect(await gateway.post("/pipeline", [["PING"], command], READ_ONLY)).toMatchObject({
      status: 200,
      json: [{ result: "PONG" }, { error }],
    });
    expect(await redis.client.dbSize()).toBe(0);
  });

  test.each([
    [["GET", "key"], "value"],
    [["EVAL_RO", "return redis.call('GET', KEYS[1])", 1, "key"], "value"],
    [["XRANGE", "stream", "-", "+"], []],
    [["HGETALL", "hash"], []],
    [["ECHO", "hello"], "hello"],
  ])("may run %j", async (command, result) => {
    await redis.client.set("key", "value");
    expect(await gateway.post("/", command, READ_ONLY)).toMatchObject({ status: 200, json: { result } });
  });
});

test.each([
  ...["BLPOP list 1", "BRPOP list 1", "BLMOVE a b LEFT RIGHT 1", "BZPOPMIN sorted 1", "BLMPOP 1 1 list LEFT"],
  ...["XREAD COUNT 1 BLOCK 1 STREAMS stream $", "xreadgroup GROUP group consumer block 1 STREAMS stream >", "WAIT 1 1"],
  ...["SUBSCRIBE channel", "PSUBSCRIBE *", "SSUBSCRIBE channel", "MONITOR", "WATCH key", "MULTI", "EXEC", "DISCARD"],
  ...["CLIENT REPLY OFF", "CLIENT KILL TYPE normal", "QUIT", "RESET", "HELLO 3", "SELECT 1", "AUTH password"],
])("%s, which needs a connection of its own, is refused", async (line) => {
  const [name = "", ...args] = line.split(" ");
  const error = expect.stringMatching(new RegExp(`^ERR Command "${name.toUpperCase()}.*" is not allowed in REST`));
  expect(await gateway.post("/", [name, ...args])).toMatchObject(refused(error));
  expect(await gateway.post("/", ["PING"])).toMatchObject({ json: { result: "PONG" } });
});

test.each([
  ...["SHUTDOWN NOSAVE", "DEBUG SLEEP 0", "CONFIG SET maxmemory 1", "REPLICAOF 127.0.0.1 1", "ACL SETUSER eve on"],
  ...["SCRIPT DEBUG YES", "MIGRATE 127.0.0.1 1 key 0 1000", "SWAPDB 0 1", "MOVE key 1", "SORT key STORE other"],
  ...["SORT_RO key", "NOPE argument"],
])("%s, which Upstash has not, is not available", async (line) => {
  const error = expect.stringMatching(/^ERR Command is not available: '/);
  expect(await gateway.post("/", line.split(" "))).toMatchObject(refused(error));
  expect(await redis.client.ping()).toBe("PONG");
});

test("a command that the server is too old for is not blamed on Upstash", async () => {
  const error = /^ERR (Redis|Valkey) \d+\.\d+\.\d+ behind this gateway has no SEARCH\.QUERY \(Upstash has it\)$/;
  for (const path of ["/", "/search.query/index/word"]) {
    expect(await gateway.post(path, ["SEARCH.QUERY", "index", "word"])).toMatchObject(
      refused(expect.stringMatching(error)),
    );
  }
});

test("MIGRATE is not available on a Redis that knows it either", () => {
  const categories = new Set(["@keyspace", "@write"]);
  const migrate = { flags: new Set(["write"]), categories, firstKey: 3, lastKey: 3, keyStep: 1 };
  const problem = accessProblem(["MIGRATE"], new Map([["migrate", migrate]]), "standard");
  expect(problem).toContain("Command is not available: 'MIGRATE'");
});

test("COPY runs within the database, even of a key named db, and not to another one", async () => {
  await redis.client.set("db", "value");

  for (const line of ["COPY db copy DB 1", "copy db copy replace db 0"]) {
    expect(await gateway.post("/", line.split(" "))).toMatchObject(refused("ERR DB index is out of range"));
  }
  expect((await gateway.post("/", ["COPY", "db", "DB", "REPLACE"])).json).toEqual({ result: 1 });
  expect(await redis.client.get("DB")).toBe("value");
  expect(await redis.client.exists("copy")).toBe(0);
});

test("XREAD and XREADGROUP without BLOCK run, even on a stream, group or consumer named block", async () => {
  await redis.client.xAdd("block", "1-1", { field: "value" });
  await redis.client.xGroupCreate("block", "block", "0");
  for (const line of ["XREAD STREAMS block 0", "XREADGROUP GROUP block block COUNT 1 STREAMS block >"]) {
    const result = [["block", [["1-1", ["field", "value"]]]]];
    expect((await gateway.post("/", line.split(" "))).json).toEqual({ result });
  }
});
