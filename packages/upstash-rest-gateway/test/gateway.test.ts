import { createClient } from "redis";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { type RedisServer, startRedis } from "../../../local/redis/redis-server.ts";
import { useRedis } from "../../../test/support/redis.ts";
import { startUpstashGateway } from "../src/gateway.ts";
import { startGatewayThread } from "../src/gateway-thread.ts";
import { gatewayAt, READ_ONLY_TOKEN, type TestGateway, TOKEN } from "./use-gateway.ts";

describe("without Redis", () => {
  const UNREACHABLE = { status: 500, json: { error: expect.stringMatching(/^ERR the database cannot be reached: ./) } };
  const RECOVERY_MS = 20_000;

  test("while Redis is away every request gets 500, and once it is back it is served again", async () => {
    // given
    const redis = await startOwnRedis();
    const log: string[] = [];
    const gateway = await startOwnGateway(redis.url, log);
    await gateway.post("/", ["PING"]);

    // when
    await kill(redis);

    // then
    await vi.waitFor(() => expect(log).toHaveLength(1), RECOVERY_MS);
    expect(await gateway.post("/", ["GET", "key"])).toMatchObject(UNREACHABLE);
    expect(await gateway.post("/pipeline", [["GET", "key"]])).toMatchObject(UNREACHABLE);
    expect(await gateway.post("/multi-exec", [["GET", "key"]])).toMatchObject(UNREACHABLE);

    // when
    await startOwnRedis(redis.port);

    // then
    await vi.waitFor(async () => expect(await gateway.post("/", ["SET", "key", "1"])).toMatchObject({ status: 200 }), {
      timeout: RECOVERY_MS,
    });
    expect(log).toEqual([
      expect.stringContaining(`redis 127.0.0.1:${redis.port} cannot be reached`),
      `redis 127.0.0.1:${redis.port} is back`,
    ]);
  });

  test("requests in flight when Redis dies are answered", async () => {
    // given: a Redis that holds writes back, a transaction that waits for it, and others behind that one
    const redis = await startOwnRedis();
    const gateway = await startOwnGateway(redis.url);
    const client = await connect(redis.url);
    await client.sendCommand(["CLIENT", "PAUSE", "600000", "WRITE"]);
    const transaction = gateway.post("/multi-exec", [["SET", "key", "1"]]);
    await vi.waitFor(async () => expect(await client.info("clients")).toContain("blocked_clients:1"), RECOVERY_MS);
    const requests = [transaction, gateway.post("/", ["GET", "key"]), gateway.post("/pipeline", [["GET", "key"]])];

    // when
    await kill(redis);

    // then
    for (const request of requests) expect(await request).toMatchObject(UNREACHABLE);
  });

  test("a gateway that starts before its Redis serves once Redis is there", async () => {
    const redis = await startOwnRedis();
    await kill(redis);
    const gateway = await startOwnGateway(redis.url);

    expect(await gateway.post("/", ["PING"])).toMatchObject(UNREACHABLE);
    await startOwnRedis(redis.port);

    await vi.waitFor(async () => expect(await gateway.post("/", ["PING"])).toMatchObject({ status: 200 }), RECOVERY_MS);
  });

  test("a stopped gateway frees its port and its connection, and stopping it twice is harmless", async () => {
    const redis = await startOwnRedis();
    const log: string[] = [];
    const first = await startUpstashGateway({ redisUrl: redis.url, log: (line) => log.push(line) });
    const port = Number(new URL(first.url).port);
    await fetch(`${first.url}/ping?_token=local`);

    await first.stop();
    await first.stop();
    const second = await startUpstashGateway({ redisUrl: redis.url, port });
    await second.stop();

    expect(second.url).toBe(first.url);
    expect(log).toEqual([]);
    const client = await connect(redis.url);
    await vi.waitFor(async () => expect(await client.clientList()).toHaveLength(1), RECOVERY_MS);
  });

  async function startOwnRedis(port?: number): Promise<RedisServer> {
    const redis = await startRedis(port === undefined ? {} : { port });
    onTestFinished(() => redis.stop());
    return redis;
  }

  async function startOwnGateway(redisUrl: string, log: string[] = []): Promise<TestGateway> {
    const gateway = await startUpstashGateway({ redisUrl, token: TOKEN, log: (line) => log.push(line) });
    onTestFinished(() => gateway.stop());
    return gatewayAt(() => gateway.url);
  }

  async function connect(url: string) {
    const client = createClient({ url, socket: { reconnectStrategy: false } });
    // It dies with its Redis, which is what the test is about.
    client.on("error", () => undefined);
    onTestFinished(() => client.destroy());
    return client.connect();
  }

  async function kill(redis: RedisServer): Promise<void> {
    process.kill(redis.pid, "SIGKILL");
    await redis.exited;
  }
});

describe("on its own thread", () => {
  const redis = useRedis();

  function start(port: number, log: (line: string) => void = () => {}, redisUrl = redis.url) {
    return startGatewayThread({ redisUrl, port, token: TOKEN, readOnlyToken: READ_ONLY_TOKEN, log });
  }

  test("a gateway on its own thread serves until it is stopped, and frees its port", async () => {
    const gateway = await start(0);
    onTestFinished(() => gateway.stop());
    const { post } = gatewayAt(() => gateway.url);
    expect(await post("/", ["PING"])).toMatchObject({ status: 200, json: { result: "PONG" } });

    await gateway.stop();

    await expect(post("/", ["PING"])).rejects.toThrow("fetch failed");
    const next = await start(Number(new URL(gateway.url).port));
    onTestFinished(() => next.stop());
    expect(next.url).toBe(gateway.url);
  });

  test("a port in use rejects the start", async () => {
    const gateway = await start(0);
    onTestFinished(() => gateway.stop());

    await expect(start(Number(new URL(gateway.url).port))).rejects.toThrow("EADDRINUSE");
  });

  test("the thread's log lines reach the caller", async () => {
    const lines: string[] = [];

    const gateway = await start(0, (line) => lines.push(line), "redis://127.0.0.1:1");
    onTestFinished(() => gateway.stop());

    await expect.poll(() => lines).toEqual([expect.stringContaining("redis 127.0.0.1:1 cannot be reached")]);
  });
});
