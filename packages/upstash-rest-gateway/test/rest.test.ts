import { once } from "node:events";
import { request } from "node:http";
import { networkInterfaces } from "node:os";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { startUpstashGateway } from "../src/gateway.ts";
import { useRedis } from "./redis.ts";
import { TOKEN, useGateway } from "./use-gateway.ts";

const MAX_BODY_BYTES = 10 * 1024 * 1024;

const redis = useRedis();
const gateway = useGateway(redis);

test.each([
  [
    "/",
    ["", "{", '{"command":"PING"}', "[]", '[""]', '["SET","key",null]', '["SET","key",{"a":1}]', '["SET","key",["a"]]'],
  ],
  ["/pipeline", ["[]", '["PING"]', '[["PING"],[]]']],
  ["/multi-exec", ["[]", '[["PING"],["SET","key",null]]']],
])("%s with a malformed body gets 400 and an ERR: %j", async (path, bodies) => {
  for (const body of bodies) {
    expect(await gateway.fetch(path, { method: "POST", body }), body).toMatchObject({
      status: 400,
      json: { error: expect.stringMatching(/^ERR /) },
    });
  }
});

test("a body of 10 MB is taken, and one byte more gets 413", async () => {
  const value = "x".repeat(MAX_BODY_BYTES - '["SET","big",""]'.length);

  expect(await gateway.post("/", ["SET", "big", value])).toMatchObject({ status: 200 });
  expect((await gateway.post("/", ["GET", "big"])).json).toEqual({ result: value });
  expect(await gateway.post("/", ["SET", "new", `${value}x`])).toMatchObject({
    status: 413,
    json: { error: expect.stringContaining("max request size exceeded. Limit: 10485760 bytes, Actual: 10485761") },
  });
  expect(await redis.client.exists("new")).toBe(0);
});

describe("the path form", () => {
  test.each([
    { path: "/set/key/a%2Fb%20%E2%98%83", request: {}, stored: "a/b ☃" },
    { path: "/set/key", request: { method: "POST", body: "body" }, stored: "body" },
    { path: "/set/key?EX=100&NX", request: { method: "PUT", body: "body" }, stored: "body" },
  ])("$request.method $path is a command", async ({ path, request, stored }) => {
    expect(await gateway.fetch(path, request)).toMatchObject({ status: 200, json: { result: "OK" } });
    expect(await redis.client.get("key")).toBe(stored);
    expect(await redis.client.ttl("key")).toBe(path.includes("EX=100") ? 100 : -1);
  });

  test.each([
    { path: "/rpush/a/../b", key: "a", args: ["..", "b"] },
    { path: "/rpush/%2E/./%2e%2E", key: ".", args: [".", ".."] },
    { path: "/rpush/a\\b//c", key: "a\\b", args: ["", "c"] },
  ])("takes the segments of $path literally", async ({ path, key, args }) => {
    // `fetch` would resolve the dots itself.
    expect(await send("GET", path)).toMatchObject({ status: 200, text: '{"result":2}' });
    expect(await redis.client.lRange(key, 0, -1)).toEqual(args);
  });

  test("takes the token from the query", async () => {
    const headers = { authorization: "" };
    expect((await gateway.fetch(`/echo/hello?_token=${TOKEN}`, { headers })).json).toEqual({ result: "hello" });
    expect(await gateway.fetch("/echo/hello?_token=wrong", { headers })).toMatchObject({ status: 401 });
  });

  test.each([
    ["POST", "/monitor", 400, /is not allowed in REST/],
    ["POST", "/nope", 404, /^ERR no such path: \/nope$/],
    ["DELETE", "/", 405, /DELETE/],
    ["PATCH", "/get/key", 405, /PATCH/],
    ["GET", "/", 405, /GET/],
    ["GET", "/pipeline", 405, /GET/],
  ])("refuses %s %s with %d", async (method, path, status, error) => {
    expect(await gateway.fetch(path, { method })).toMatchObject({
      status,
      json: { error: expect.stringMatching(error) },
    });
  });
});

test("a web page of another origin is refused, whatever token it has", async () => {
  const reply = await send("GET", `/set/x/1?_token=${TOKEN}`, { "sec-fetch-site": "same-site" });
  const text = expect.stringMatching(/^\{"error":"ERR Web pages of another origin/);
  expect(reply).toMatchObject({ status: 403, text });
  expect(await redis.client.exists("x")).toBe(0);
});

describe("a gateway that allows a host and an origin", () => {
  const PAGE = { origin: "http://localhost:5173", "sec-fetch-site": "same-site" };
  const open = useGateway(redis, {}, { allowedHosts: ["Redis.internal"], allowedOrigins: [PAGE.origin] });

  test("is called by that name, and by no other", async () => {
    for (const [host, status] of [
      ["redis.internal:8079", 200],
      ["LOCALHOST", 200],
      ["evil.example:8079", 403],
    ] as const) {
      expect(await send("GET", "/ping", { host }, undefined, open.url), host).toMatchObject({ status });
    }
  });

  test("answers pages of that origin as a browser wants it, and others not", async () => {
    const asked = {
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,upstash-encoding",
    };
    const preflight = await fetch(open.url, { method: "OPTIONS", headers: { ...PAGE, ...asked } });
    expect([preflight.status, preflight.headers.get("access-control-allow-headers")]).toEqual([
      204,
      "authorization,upstash-encoding",
    ]);
    const reply = await fetch(`${open.url}/ping?_token=${TOKEN}`, { headers: PAGE });
    expect([reply.status, reply.headers.get("access-control-allow-origin")]).toEqual([200, PAGE.origin]);
    expect(reply.headers.get("access-control-expose-headers")).toBe("upstash-sync-token");

    const other = { ...PAGE, origin: "http://localhost:5174" };
    for (const method of ["OPTIONS", "GET"]) {
      const refused = await fetch(`${open.url}/ping?_token=${TOKEN}`, { method, headers: other });
      expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    }
  });
});

test("a request without a token is refused before its body arrives", async () => {
  const unsent = { "content-length": String(MAX_BODY_BYTES), authorization: "" };
  const text = expect.stringContaining("WRONGPASS");
  expect(await send("POST", "/", unsent, "unfinished")).toMatchObject({ status: 401, text });
});

test("a request without a token is refused in a way that a client sees while it still sends", async () => {
  const refused = { method: "POST", body: "x".repeat(2 * MAX_BODY_BYTES), headers: { authorization: "" } };
  expect(await gateway.fetch("/", refused)).toMatchObject({ status: 401 });
});

test("a client that hangs up while it sends is no failure of the gateway", async () => {
  const log: string[] = [];
  const own = await startUpstashGateway({ redisUrl: redis.url, token: TOKEN, log: (line) => log.push(line) });
  const headers = { authorization: `Bearer ${TOKEN}`, expect: "100-continue", "content-length": "10" };
  const sent = request(own.url, { method: "POST", headers }).on("error", () => undefined);
  sent.flushHeaders();
  await once(sent, "continue");

  sent.destroy();
  expect(await (await fetch(`${own.url}/ping?_token=${TOKEN}`)).json()).toEqual({ result: "PONG" });
  await own.stop();

  expect(log).toEqual([]);
});

test("only the loopback interface answers, unless another address is asked for", async () => {
  const { port } = new URL(gateway.url);
  const others = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family }) => !internal && family === "IPv4")
    .map(({ address }) => address);

  expect(gateway.url).toBe(`http://127.0.0.1:${port}`);
  for (const address of [...others, "127.0.0.2", "[::1]"]) {
    await expect(fetch(`http://${address}:${port}/`)).rejects.toThrow();
  }
  const ipv6 = await startUpstashGateway({ redisUrl: redis.url, host: "::1" });
  onTestFinished(() => ipv6.stop());
  expect(await (await fetch(`${ipv6.url}/ping?_token=local`)).json()).toEqual({ result: "PONG" });
});

/** A request exactly as it is written here; one whose `body` is unfinished is never ended. */
async function send(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: "unfinished",
  url = gateway.url,
): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(url);
  const sent = request({ hostname, port, method, path, headers: { authorization: `Bearer ${TOKEN}`, ...headers } });
  if (body === "unfinished") sent.write("[");
  else sent.end();
  const [reply] = await once(sent, "response");
  const answer = { status: reply.statusCode, text: await text(reply) };
  sent.destroy();
  return answer;
}
