import { describe, expect, test } from "vitest";
import { useRedis } from "../../../test/support/redis.ts";
import { TOKEN, useGateway } from "./use-gateway.ts";

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
