import { createHash } from "node:crypto";
import { Redis } from "@upstash/redis";
import { describe, expect, test } from "vitest";
import { useRedis } from "./redis.ts";
import { useGateway } from "./use-gateway.ts";

const redis = useRedis();
const gateway = useGateway(redis);

const hashOf = (source: string) => createHash("sha1").update(source).digest("hex");

const unknown = { status: 400, json: { error: expect.stringMatching(/^NOSCRIPT /) } };

describe("a script with the flag allow-key-locking", () => {
  test.each([
    "#!lua flags=allow-key-locking\nreturn 'ä☃'", // not for EVAL_RO, which needs no-writes beside a first line like this
    "#!lua  flags=no-writes,allow-key-locking \nreturn 'ä☃'",
    "#!lua flags=allow-key-locking,allow-stale,no-writes\nreturn 'ä☃'",
  ])("runs, and is known by the hash of its own text: %j", async (source) => {
    const hash = hashOf(source);
    const readOnly = [
      ["EVALSHA_RO", hash, 0],
      ["EVAL_RO", source, 0],
    ];

    expect(await gateway.post("/", ["EVALSHA", hash, 0])).toMatchObject(unknown);
    for (const command of [
      ["EVAL", source, 0],
      ["EVALSHA", hash, 0],
      ["evalsha", hash.toUpperCase(), 0],
      ...(source.includes("no-writes") ? readOnly : []),
    ]) {
      expect(await gateway.post("/", command), String(command)).toMatchObject({ json: { result: "ä☃" } });
    }
    expect((await gateway.post("/", ["SCRIPT", "EXISTS", hash, hashOf("other")])).json).toEqual({ result: [1, 0] });

    await redis.client.scriptFlush(); // as a Redis that was started again
    expect(await gateway.post("/", ["EVALSHA", hash, 0])).toMatchObject(unknown);
    expect((await gateway.post("/", ["SCRIPT", "EXISTS", hash])).json).toEqual({ result: [0] });
  });

  test("is loaded, in pipelines and transactions too", async () => {
    const source = "#!lua flags=allow-key-locking\nreturn KEYS[1]";
    const hash = hashOf(source);
    for (const path of ["/pipeline", "/multi-exec"]) {
      const commands = [
        ["SCRIPT", "LOAD", source],
        ["EVALSHA", hash, 1, "key"],
        ["SCRIPT", "FLUSH"],
        ["SCRIPT", "EXISTS", hash],
      ];
      const replies = [{ result: hash }, { result: "key" }, { result: "OK" }, { result: [0] }];
      expect((await gateway.post(path, commands)).json).toEqual(replies);
    }
  });

  test("keeps its other flags, the bytes of its text, and Redis's errors", async () => {
    const write = "#!lua flags=no-writes,allow-key-locking\nreturn redis.call('SET', KEYS[1], '1')";
    expect(await gateway.post("/", ["EVAL", write, 1, "key"])).toMatchObject({
      json: { error: expect.stringMatching(/^ERR Write commands are not allowed/) },
    });
    for (const source of ["#!lua flags=allow-key-locking,nope\nreturn 1", "#!lua flags=allow-key-locking\nreturn ("]) {
      expect(await gateway.post("/", ["SCRIPT", "LOAD", source])).toMatchObject({ status: 400 });
    }

    const bytes = Buffer.from([...Buffer.from("#!lua flags=allow-key-locking\nreturn '"), 0xff, 0x27]);
    await gateway.fetch("/script/load", { method: "POST", body: bytes });
    const hash = createHash("sha1").update(bytes).digest("hex");
    const reply = await gateway.post("/", ["EVALSHA", hash, 0], { "upstash-encoding": "base64" });
    expect(reply.json).toEqual({ result: Buffer.from([0xff]).toString("base64") });
  });

  test("is sent again by the official client once Redis has lost it", async () => {
    const script = new Redis(gateway.clientConfig).createScript<string>(
      "#!lua flags=allow-key-locking\nreturn ARGV[1]",
    );
    expect(await script.exec([], ["one"])).toBe("one");
    await redis.client.scriptFlush();
    expect(await script.exec([], ["two"])).toBe("two");
  });
});

test.each(["{'allow-key-locking'}", `{ "allow-key-locking", 'no-writes' }`, "{'no-writes', 'allow-key-locking'}"])(
  "a function with the flags %s runs",
  async (flags) => {
    const define = `redis.register_function{ function_name='greet', flags=${flags}, callback=function() return 'ä' end }`;
    const library = `#!lua name=greetings\n${define}`;
    expect(await gateway.post("/", ["FUNCTION", "LOAD", "REPLACE", library])).toMatchObject({ status: 200 });
    const call = flags.includes("no-writes") ? "FCALL_RO" : "FCALL";
    expect((await gateway.post("/", [call, "greet", 0])).json).toEqual({ result: "ä" });
    await redis.client.functionFlush();
  },
);

test("a script without the flag has the hash that Redis gives it", async () => {
  const source = "return 'allow-key-locking'";
  expect((await gateway.post("/", ["SCRIPT", "LOAD", source])).json).toEqual({ result: hashOf(source) });
  expect(await redis.client.scriptExists([hashOf(source)])).toEqual([1]);
});
