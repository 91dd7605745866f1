import { Redis } from "@upstash/redis";
import { describe, expect, test } from "vitest";
import { useRedis } from "../../../test/support/redis.ts";
import { useGateway } from "./use-gateway.ts";

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
    { fault: "a wrong number of arguments", command: ["SET", "key"], error: /^EXECABORT .*wrong number of arguments/ },
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
