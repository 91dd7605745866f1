import { describe, expect, test } from "vitest";
import { useRedis } from "../../../test/support/redis.ts";
import { READ_ONLY_TOKEN, useGateway } from "./use-gateway.ts";

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
