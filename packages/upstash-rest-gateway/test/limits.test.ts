import { describe, expect, test } from "vitest";
import { useOwnRedis } from "../../../test/support/redis.ts";
import type { Database } from "../src/database.ts";
import { createLimitCheck, PAY_AS_YOU_GO } from "../src/limits.ts";
import { useGateway } from "./use-gateway.ts";

const MEGABYTE = 1024 * 1024;
const RECORD_BYTES = 200_000;
const DATABASE_BYTES = 2 * MEGABYTE;

const redis = useOwnRedis();

describe("a record above its limit", () => {
  const gateway = useGateway(redis, { recordBytes: RECORD_BYTES });

  async function fill(): Promise<void> {
    const entry = "x".repeat(1000);
    for (let index = 0; index < 300; index += 1) await redis.client.xAdd("stream", "*", { entry });
    await redis.client.xGroupCreate("stream", "group", "0");
    await redis.client.set("other", "1");
  }

  test.each([
    { command: ["XADD", "stream", "*", "entry", "x"] },
    { command: ["MSET", "small", "1", "stream", "1"] },
    { command: ["COPY", "other", "stream"] },
    { command: ["XGROUP", "CREATE", "stream", "second", "0"] },
    { command: ["EVAL", "return redis.call('XADD', KEYS[2], '*', 'a', 'b')", 2, "other", "stream"] },
    { command: ["EVAL", "return redis.call('XACK', KEYS[1], 'group', '1-1')", "1", "stream"] },
  ])("is not added to by $command", async ({ command }) => {
    await fill();
    const before = await redis.client.dump("stream");

    const reply = await gateway.post("/", command);

    expect(reply).toMatchObject({
      status: 400,
      json: {
        error: expect.stringMatching(
          /^ERR max single record size exceeded\. Limit: 200000 bytes, Actual: \d{6} bytes\. See https:\S+ for details$/,
        ),
      },
    });
    expect(await redis.client.dump("stream")).toEqual(before);
    expect(await redis.client.exists("small")).toBe(0);
  });

  test.each([
    { command: ["XRANGE", "stream", "-", "+", "COUNT", 1] },
    { command: ["XLEN", "stream"] },
    { command: ["XINFO", "GROUPS", "stream"] },
    { command: ["XREADGROUP", "GROUP", "group", "consumer", "COUNT", 10, "STREAMS", "stream", ">"] },
    { command: ["XACK", "stream", "group", "1-1"] },
    { command: ["XDEL", "stream", "1-1"] },
    { command: ["EVAL_RO", "return redis.call('XLEN', KEYS[1])", 1, "stream"] },
    { command: ["MSET", "other", "stream", "small", "1"] },
    { command: ["EVAL", "return redis.call('SET', KEYS[1], ARGV[1])", 1, "other", "stream"] },
    { command: ["DEL", "stream"] },
  ])("leaves $command to run", async ({ command }) => {
    await fill();

    expect(await gateway.post("/", command)).toMatchObject({ status: 200 });
  });

  test("is added to again once space is made, in the same pipeline too", async () => {
    await fill();
    const add = ["XADD", "stream", "*", "entry", "x"];

    expect(await gateway.post("/pipeline", [add, ["XTRIM", "stream", "MAXLEN", 10], add])).toMatchObject({
      status: 200,
      json: [{ error: expect.stringContaining("record size") }, { result: 290 }, { result: expect.any(String) }],
    });
    expect(await gateway.post("/", add)).toMatchObject({ status: 200 });
  });

  test("discards a transaction whole", async () => {
    await fill();

    expect(
      await gateway.post("/multi-exec", [
        ["SET", "other", "2"],
        ["XADD", "stream", "*", "entry", "x"],
      ]),
    ).toMatchObject({ status: 400, json: { error: expect.stringContaining("record size") } });
    expect(await redis.client.get("other")).toBe("1");
  });
});

describe("a database above its limit", () => {
  const gateway = useGateway(redis, { databaseBytes: DATABASE_BYTES });

  async function fill(): Promise<void> {
    const value = "x".repeat(100_000);
    for (let index = 0; index < 30; index += 1) await redis.client.set(`key-${index}`, value);
  }

  test.each([
    { command: ["SET", "new", "1"] },
    { command: ["EVAL", "return redis.call('SET', KEYS[1], '1')", 1, "new"] },
    { command: ["EVAL", "return redis.call('GET', KEYS[1])", 1, "key-1"] },
  ])("refuses $command", async ({ command }) => {
    await fill();

    expect(await gateway.post("/", command)).toMatchObject({
      status: 400,
      json: {
        error: expect.stringMatching(
          /^ERR DB capacity quota exceeded\. Threshold: 2097152 bytes, Usage: \d+ bytes\. See https:\S+ for details$/,
        ),
      },
    });
    expect(await redis.client.exists("new")).toBe(0);
  });

  test("is read, and written again once keys are deleted", async () => {
    await fill();

    expect((await gateway.post("/", ["SET", "new", "1"])).status).toBe(400);
    expect((await gateway.post("/", ["STRLEN", "key-1"])).json).toEqual({ result: 100_000 });
    const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`);
    expect((await gateway.post("/", ["DEL", ...keys])).json).toEqual({ result: 20 });
    expect((await gateway.post("/", ["SET", "new", "1"])).json).toEqual({ result: "OK" });
  });
});

describe("a consumer with many pending entries", () => {
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

  test("is refused more than the limit, with Upstash's text", async () => {
    await fill();

    const { status, json } = await gateway.post("/", read(3));

    expect(status).toBe(400);
    expect(json).toEqual({
      error:
        "ERR XReadGroup is cancelled. Pending Entries List limit per consumer is about to be reached. " +
        "Limit: 10, Current PEL size: 8, Requested Read: 3, Key: stream, Group: group, Consumer: consumer.",
    });
    expect((await redis.client.xPending("stream", "group")).pending).toBe(8);
  });

  test("gets what fits, and no more once its list is full", async () => {
    await fill();

    expect(await gateway.post("/", read(2))).toMatchObject({ status: 200 });
    expect(await gateway.post("/", read(undefined))).toMatchObject({ status: 400 });
  });

  test("reads again once it has acknowledged, in the same pipeline too", async () => {
    await fill();
    const ids = [1, 2, 3].map((id) => `${id}-0`);

    expect((await gateway.post("/pipeline", [["XACK", "stream", "group", ...ids], read(5)])).json).toMatchObject([
      { result: 3 },
      { result: [["stream", expect.any(Array)]] },
    ]);
  });

  test.each([
    { what: "its own pending entries", command: [...read(100).slice(0, -1), "0"] },
    { what: "entries that it does not have to acknowledge", command: read(100, "NOACK") },
    { what: "for another consumer", command: read(9).map((word) => (word === "consumer" ? "other" : word)) },
    { what: "what others left", command: ["XAUTOCLAIM", "stream", "group", "other", 0, "0"] },
  ])("may read $what", async ({ command }) => {
    await fill();

    expect(await gateway.post("/", command)).toMatchObject({ status: 200 });
  });
});

describe("far from every limit", () => {
  const gateway = useGateway(redis);

  test("hundreds of writes cost the server a few questions at most", async () => {
    await redis.client.configResetStat();
    const writes = Array.from({ length: 400 }, (_, index) => ["SET", `key-${index}`, "value"]);

    await gateway.post("/pipeline", writes);

    const statistics = await redis.client.info("commandstats");
    expect(statistics).toContain("cmdstat_set:calls=400,");
    expect(Number(/cmdstat_info:calls=(\d+)/.exec(statistics)?.[1] ?? 0)).toBeLessThan(100);
    expect(statistics).not.toMatch(/cmdstat_(eval_ro|memory)/);
  });
});

describe("a request above its limit", () => {
  const gateway = useGateway(redis, { requestBytes: 1000 });

  test("is refused", async () => {
    expect(await gateway.post("/", ["ECHO", "x".repeat(1000)])).toMatchObject({
      status: 413,
      json: { error: expect.stringContaining("max request size exceeded. Limit: 1000 bytes, Actual: 1011") },
    });
  });
});

test("an empty database of which Redis counts less than nothing takes a write", async () => {
  const info = "used_memory:900000\r\nused_memory_dataset:18446744073709519000\r\n";
  const database: Database = {
    attempted: Promise.resolve(),
    commandTable: async () => new Map(),
    run: async () => ({ result: info }),
    transact: async () => [],
    close: () => undefined,
  };
  const write = { flags: new Set(["denyoom"]), categories: new Set<string>(), firstKey: 1, lastKey: 1, keyStep: 1 };

  const problem = await createLimitCheck(PAY_AS_YOU_GO, database)(["SET", "key", "1"], "set", write);

  expect(problem).toBeUndefined();
});
