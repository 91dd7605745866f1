import { describe, expect, test } from "vitest";
import type { Database } from "../src/database.ts";
import { createLimitCheck, PAY_AS_YOU_GO } from "../src/limits.ts";
import { useOwnRedis } from "./redis.ts";
import { useGateway } from "./use-gateway.ts";

const redis = useOwnRedis();
const full = useGateway(redis, { databaseBytes: 2 * 1024 * 1024 });
const unlimited = useGateway(redis);

const refused = (error: RegExp) => ({ status: 400, json: { error: expect.stringMatching(error) } });

describe("a record above its limit", () => {
  const gateway = useGateway(redis, { recordBytes: 200_000 });
  const add = ["XADD", "stream", "*", "entry", "x"];

  async function fill(): Promise<void> {
    const entry = "x".repeat(1000);
    await Promise.all(Array.from({ length: 300 }, () => redis.client.xAdd("stream", "*", { entry })));
    await redis.client.xGroupCreate("stream", "group", "0");
    await redis.client.set("other", "1");
  }

  test.each([
    [add],
    [["MSET", "small", "1", "stream", "1"]],
    [["COPY", "other", "stream"]],
    [["XGROUP", "CREATE", "stream", "second", "0"]],
    [["EVAL", "return redis.call('XADD', KEYS[2], '*', 'a', 'b')", 2, "other", "stream"]],
    [["EVAL", "return redis.call('XACK', KEYS[1], 'group', '1-1')", "1", "stream"]],
  ])("is not added to by %j", async (command) => {
    await fill();
    const before = await redis.client.dump("stream");

    const sizes = /^ERR max single record size exceeded\. Limit: 200000 bytes, Actual: \d{6} bytes\. See https:\S+ for/;
    expect(await gateway.post("/", command)).toMatchObject(refused(sizes));
    expect(await redis.client.dump("stream")).toEqual(before);
    expect(await redis.client.exists("small")).toBe(0);
  });

  test.each([
    [["XRANGE", "stream", "-", "+", "COUNT", 1]],
    [["XINFO", "GROUPS", "stream"]],
    [["XREADGROUP", "GROUP", "group", "consumer", "COUNT", 10, "STREAMS", "stream", ">"]],
    [["XACK", "stream", "group", "1-1"]],
    [["XDEL", "stream", "1-1"]],
    [["EVAL_RO", "return redis.call('XLEN', KEYS[1])", 1, "stream"]],
    [["MSET", "other", "stream", "small", "1"]],
    [["EVAL", "return redis.call('SET', KEYS[1], ARGV[1])", 1, "other", "stream"]],
    [["DEL", "stream"]],
  ])("leaves %j to run", async (command) => {
    await fill();
    expect(await gateway.post("/", command)).toMatchObject({ status: 200 });
  });

  test("is added to again once space is made, in the same pipeline too", async () => {
    await fill();
    expect(await gateway.post("/pipeline", [add, ["XTRIM", "stream", "MAXLEN", 10], add])).toMatchObject({
      status: 200,
      json: [{ error: expect.stringContaining("record size") }, { result: 290 }, { result: expect.any(String) }],
    });
    expect(await gateway.post("/", add)).toMatchObject({ status: 200 });
  });
});

test("a database above its limit is read, and written again once keys are deleted", async () => {
  const value = "x".repeat(100_000);
  await Promise.all(Array.from({ length: 30 }, (_, index) => redis.client.set(`key-${index}`, value)));

  for (const command of [
    ["SET", "new", "1"],
    ["EVAL", "return redis.call('SET', KEYS[1], '1')", 1, "new"],
    ["EVAL", "return redis.call('GET', KEYS[1])", 1, "key-1"],
  ]) {
    const sizes = /^ERR DB capacity quota exceeded\. Threshold: 2097152 bytes, Usage: \d+ bytes\. See https:\S+ for/;
    expect(await full.post("/", command)).toMatchObject(refused(sizes));
  }
  expect(await redis.client.exists("new")).toBe(0);
  expect((await full.post("/", ["STRLEN", "key-1"])).json).toEqual({ result: 100_000 });
  const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`);
  expect((await full.post("/", ["DEL", ...keys])).json).toEqual({ result: 20 });
  expect((await full.post("/", ["SET", "new", "1"])).json).toEqual({ result: "OK" });
});

describe("a consumer with 8 pending entries, of 10 allowed", () => {
  const gateway = useGateway(redis, { pendingPerConsumer: 10 });

  const read = (count: number | undefined, ...more: unknown[]) => [
    ...["XREADGROUP", "GROUP", "group", "consumer", ...(count === undefined ? [] : ["COUNT", count]), ...more],
    ...["STREAMS", "stream", ">"],
  ];

  async function fill(): Promise<void> {
    for (let index = 1; index <= 30; index += 1) await redis.client.xAdd("stream", `${index}-0`, { entry: "x" });
    await redis.client.xGroupCreate("stream", "group", "0");
    expect(await gateway.post("/", read(8))).toMatchObject({ status: 200 });
  }

  test("is refused three more, with Upstash's text, and gets two", async () => {
    await fill();
    const error =
      "ERR XReadGroup is cancelled. Pending Entries List limit per consumer is about to be reached. " +
      "Limit: 10, Current PEL size: 8, Requested Read: 3, Key: stream, Group: group, Consumer: consumer.";

    expect(await gateway.post("/", read(3))).toMatchObject({ status: 400, json: { error } });
    expect((await redis.client.xPending("stream", "group")).pending).toBe(8);
    expect(await gateway.post("/", read(2))).toMatchObject({ status: 200 });
    expect(await gateway.post("/", read(undefined))).toMatchObject({ status: 400 });
  });

  test.each([
    ["call", "return redis.call(unpack(ARGV)) -- XREADGROUP"],
    ["pcall", "#!lua flags=allow-key-locking\nlocal xreadgroup = redis.pcall(unpack(ARGV)) return xreadgroup"],
    ["call in RESP3", "redis.setresp(3) return redis.call(unpack(ARGV)) -- XReadGroup"],
    [
      "a function of its own",
      "local call = redis.call return (function(_, ...) return call('XREADGROUP', ...) end)(unpack(ARGV))",
    ],
  ])("is refused three more, and gets two, in a script by %s", async (_, source) => {
    await fill();
    const evaluate = (...words: unknown[]) => gateway.post("/", ["EVAL", source, 1, "stream", ...words]);
    const error = expect.stringMatching(/^ERR XReadGroup is cancelled.* PEL size: 8, Requested Read: 3, Key: stream, /);

    expect(await evaluate(...read(3))).toMatchObject({ status: 400, json: { error } });
    expect((await redis.client.xPending("stream", "group")).pending).toBe(8);
    expect(await evaluate(...read(2))).toMatchObject({ status: 200 });
  });

  test("is refused in a script what it claimed there just before", async () => {
    await fill();
    const claim = "redis.call('XAUTOCLAIM', KEYS[1], 'group', 'other', 0, '0')";
    const readOn = "return redis.call('XREADGROUP', 'GROUP', 'group', 'other', 'COUNT', 3, 'STREAMS', KEYS[1], '>')";
    const json = { error: expect.stringContaining("Current PEL size: 8, Requested Read: 3") };
    expect(await gateway.post("/", ["EVAL", `${claim} ${readOn}`, 1, "stream"])).toMatchObject({ json });
  });

  test("reads again once it has acknowledged, in the same pipeline too", async () => {
    await fill();
    const acknowledge = ["XACK", "stream", "group", "1-0", "2-0", "3-0"];
    expect((await gateway.post("/pipeline", [acknowledge, read(5)])).json).toMatchObject([
      { result: 3 },
      { result: [["stream", expect.any(Array)]] },
    ]);
  });

  test.each([
    ["its own pending entries", [...read(100).slice(0, -1), "0"]],
    ["entries that it does not have to acknowledge", read(100, "NOACK")],
    ["for another consumer", read(9).map((word) => (word === "consumer" ? "other" : word))],
    ["what others left", ["XAUTOCLAIM", "stream", "group", "other", 0, "0"]],
  ])("may read %s", async (_, command) => {
    await fill();
    expect(await gateway.post("/", command)).toMatchObject({ status: 200 });
  });
});

test("far from every limit, hundreds of writes cost the server a few questions at most", async () => {
  await redis.client.configResetStat();
  const writes = Array.from({ length: 400 }, (_, index) => ["SET", `key-${index}`, "value"]);

  await unlimited.post("/pipeline", writes);

  const statistics = await redis.client.info("commandstats");
  expect(statistics).toContain("cmdstat_set:calls=400,");
  expect(Number(/cmdstat_info:calls=(\d+)/.exec(statistics)?.[1] ?? 0)).toBeLessThan(100);
  expect(statistics).not.toMatch(/cmdstat_(eval_ro|memory)/);
});

test("an empty database of which Redis counts less than nothing takes a write", async () => {
  const info = "used_memory:900000\r\nused_memory_dataset:18446744073709519000\r\n";
  const database: Database = {
    attempted: Promise.resolve(),
    commandTable: async () => new Map(),
    serverName: async () => "",
    run: async () => ({ result: info }),
    transact: async () => [],
    close: () => undefined,
  };
  const traits = { flags: new Set(["denyoom"]), categories: new Set<string>(), firstKey: 1, lastKey: 1, keyStep: 1 };

  const problem = await createLimitCheck(
    PAY_AS_YOU_GO,
    database,
  )({ command: ["SET", "key", "1"], name: "set", traits });

  expect(problem).toBeUndefined();
});
