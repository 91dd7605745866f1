import { Redis } from "@upstash/redis";
import { beforeEach, describe, expect, test } from "vitest";
import { useRedis } from "./redis.ts";
import { useGateway } from "./use-gateway.ts";

const redis = useRedis();
const gateway = useGateway(redis);

beforeEach(() => gateway.setFaults({}));

test("an error is a 500, and its command does not run", async () => {
  await gateway.setFaults({ errorRate: 1, times: 2 });
  const refused = { status: 500, json: { error: "ERR this error was injected" } };
  expect(await gateway.post("/", ["INCR", "n"])).toMatchObject(refused);
  expect(await gateway.post("/pipeline", [["INCR", "n"]])).toMatchObject(refused);
  expect(await gateway.post("/", ["INCR", "n"])).toMatchObject({ json: { result: 1 } });
});

test("a lost reply is of a command that ran, so the official client runs it twice", async () => {
  await gateway.setFaults({ lostReplyRate: 1, times: 1 });
  const client = new Redis({ ...gateway.clientConfig, retry: { backoff: () => 0 } });
  expect(await client.incr("n")).toBe(2);
});

test("a share of the requests is hit, and the others are not", async () => {
  await gateway.setFaults({ errorRate: 0.5 });
  const statuses = new Set<number>();
  await expect.poll(async () => statuses.add((await gateway.post("/", ["PING"])).status)).toEqual(new Set([200, 500]));
});

test("latency holds every request back", async () => {
  await gateway.setFaults({ latencyMs: 50 });
  const started = performance.now();
  expect(await gateway.post("/", ["PING"])).toMatchObject({ status: 200 });
  expect(performance.now() - started).toBeGreaterThanOrEqual(49); // timers are up to 1 ms early
});

describe("with reads that lag", () => {
  const LAG = { readLagMs: 600_000 };

  /** What a client reads that has no sync token yet. */
  const read = async (...command: unknown[]) => (await gateway.post("/", command)).json;

  test.each<[string, unknown[][], unknown[], unknown, unknown]>([
    ["a new key", [["SET", "new", "1"]], ["GET", "new"], null, "1"],
    ["a changed key", [["HSET", "hash", "b", "2"]], ["HGETALL", "hash"], ["hash", "1"], ["hash", "1", "b", "2"]],
    ["a field named as its key", [["HSET", "hash", "hash", "2"]], ["HGET", "hash", "hash"], "1", "2"],
    ["a deleted key", [["DEL", "hash"]], ["EXISTS", "hash", "other"], 2, 1],
    ["a key that lost its expiry", [["SET", "mortal", "1"]], ["TTL", "mortal"], 1000, -1],
    [
      "a key written twice",
      [
        ["INCR", "n"],
        ["INCR", "n"],
      ],
      ["GET", "n"],
      null,
      "2",
    ],
    ["one key of two", [["SET", "other", "2"]], ["MGET", "other", "n"], ["1", null], ["2", null]],
    ["a key of a script", [["EVAL", "redis.call('SET', KEYS[1], '1')", 1, "n"]], ["EXISTS", "n"], 0, 1],
    ["a key for a script", [["SET", "n", "1"]], ["EVAL_RO", "return redis.call('GET', KEYS[1])", 1, "n"], null, "1"],
  ])("%s is read as it was before the write", async (_, writes, reading, before, after) => {
    await redis.client.hSet("hash", "hash", "1");
    await redis.client.set("other", "1");
    await redis.client.set("mortal", "1", { EX: 1000 });
    await gateway.setFaults(LAG);

    for (const write of writes) expect(await gateway.post("/", write)).toMatchObject({ status: 200 });

    expect(await read(...reading)).toEqual({ result: before });
    await gateway.setFaults({});
    expect(await read(...reading)).toEqual({ result: after });
    expect((await redis.client.keys("*past*")).length).toBe(0);
  });

  test("a client reads its own writes, in pipelines and transactions too, and another client those of the past", async () => {
    await gateway.setFaults(LAG);
    const [writer, reader] = [new Redis(gateway.clientConfig), new Redis(gateway.clientConfig)];

    await writer.set("key", 1);
    expect(await writer.get("key")).toBe(1);
    await writer.multi().set("second", 2).exec();
    expect(await writer.pipeline().get("second").exec()).toEqual([2]);
    expect(await reader.mget("key", "second")).toEqual([null, null]);
    expect(await reader.multi().get("key").exec()).toEqual([1]);
    expect(await reader.mget("key", "second")).toEqual([1, 2]);
  });

  test("a write is seen after the lag", async () => {
    await gateway.setFaults({ readLagMs: 50 });
    await gateway.post("/", ["SET", "key", "1"]);
    await expect.poll(() => read("GET", "key")).toEqual({ result: "1" });
  });
});
