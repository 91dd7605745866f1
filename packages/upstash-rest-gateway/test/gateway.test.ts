import { createClient } from "@redis/client";
import { describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { startUpstashGateway } from "../src/gateway.ts";
import { startGatewayThread } from "../src/gateway-thread.ts";
import { type RedisServer, startRedis } from "./redis.ts";
import { gatewayAt, READ_ONLY_TOKEN, TOKEN } from "./use-gateway.ts";

const UNREACHABLE = { status: 500, json: { error: expect.stringMatching(/^ERR the database cannot be reached: ./) } };

const eventually = (check: () => unknown) => vi.waitFor(check, 20_000);

describe("without Redis", () => {
  test("every request gets 500, from the start on, until Redis is there and after it is lost", async () => {
    const redis = await startOwnRedis();
    const log: string[] = [];
    await redis.kill();
    const gateway = await startOwnGateway(redis.url, log);
    const serves = () =>
      eventually(async () => expect(await gateway.post("/", ["PING"])).toMatchObject({ status: 200 }));

    expect(await gateway.post("/", ["PING"])).toMatchObject(UNREACHABLE);
    expect((await gateway.fetch("/subscribe/channel")).status).toBe(500);
    const back = await startOwnRedis(redis.port);
    await serves();
    await back.kill();
    await eventually(() => expect(log).toHaveLength(3));
    expect(await gateway.post("/", ["PING"])).toMatchObject(UNREACHABLE);
    await startOwnRedis(redis.port);
    await serves();

    const lost = expect.stringContaining(`redis 127.0.0.1:${redis.port} cannot be reached`);
    const found = `redis 127.0.0.1:${redis.port} is back`;
    expect(log).toEqual([lost, found, lost, found]);
  });

  test("requests in flight when Redis dies are answered", async () => {
    // A Redis that holds writes back, a transaction that waits for it, and others behind that one.
    const redis = await startOwnRedis();
    const gateway = await startOwnGateway(redis.url);
    const client = await connect(redis.url);
    await client.sendCommand(["CLIENT", "PAUSE", "600000", "WRITE"]);
    const transaction = gateway.post("/multi-exec", [["SET", "key", "1"]]);
    await eventually(async () => expect(await client.info("clients")).toContain("blocked_clients:1"));
    const requests = [transaction, gateway.post("/", ["GET", "key"]), gateway.post("/pipeline", [["GET", "key"]])];

    await redis.kill();

    for (const request of requests) expect(await request).toMatchObject(UNREACHABLE);
  });

  test("a stopped gateway frees its connection, and stopping it twice is harmless", async () => {
    const redis = await startOwnRedis();
    const log: string[] = [];
    const gateway = await startOwnGateway(redis.url, log);
    expect(await gateway.post("/", ["PING"])).toMatchObject({ status: 200 });

    await gateway.stop();
    await gateway.stop();

    expect(log).toEqual([]);
    const client = await connect(redis.url);
    await eventually(async () => expect(await client.clientList()).toHaveLength(1));
  });

  async function startOwnRedis(port?: number): Promise<RedisServer> {
    const redis = await startRedis(inject("redisServer"), port);
    onTestFinished(() => redis.kill());
    return redis;
  }

  async function startOwnGateway(redisUrl: string, log: string[] = []) {
    const gateway = await startUpstashGateway({ redisUrl, token: TOKEN, log: (line) => log.push(line) });
    onTestFinished(() => gateway.stop());
    return { ...gatewayAt(() => gateway.url), stop: gateway.stop };
  }

  async function connect(url: string) {
    const client = createClient({ url, socket: { reconnectStrategy: false } });
    // It dies with its Redis, which is what the test is about.
    client.on("error", () => undefined);
    onTestFinished(() => client.destroy());
    return client.connect();
  }
});

describe("on its own thread", () => {
  test("a gateway logs and serves until it is stopped, alone on its port, which it frees", async () => {
    const log: string[] = [];
    const tokens = { token: TOKEN, readOnlyToken: READ_ONLY_TOKEN };
    const start = async (port: number) => {
      const redisUrl = "redis://127.0.0.1:1";
      const gateway = await startGatewayThread({ redisUrl, port, ...tokens, log: (line) => log.push(line) });
      onTestFinished(() => gateway.stop());
      return gateway;
    };
    const gateway = await start(0);
    const port = Number(new URL(gateway.url).port);
    const { post } = gatewayAt(() => gateway.url);
    expect(await post("/", ["PING"])).toMatchObject(UNREACHABLE);
    expect(log).toEqual([expect.stringContaining("127.0.0.1:1 cannot be reached")]);
    await expect(start(port)).rejects.toThrow("EADDRINUSE");

    await gateway.stop();

    await expect(post("/", ["PING"])).rejects.toThrow("fetch failed");
    expect((await start(port)).url).toBe(gateway.url);
  });

  test("it has the same options and faults, and its errors name the option", async () => {
    const redisUrl = "redis://127.0.0.1:1";
    const gateway = await startGatewayThread({ redisUrl, limits: { requestBytes: 10 }, faults: { errorRate: 1 } });
    onTestFinished(() => gateway.stop());
    const post = (body: unknown) => gatewayAt(() => gateway.url).post("/", body, { authorization: "Bearer local" });

    expect(await post(["PING"])).toMatchObject({ json: { error: "ERR this error was injected" } });
    await gateway.setFaults({});
    expect(await post(["PING"])).toMatchObject(UNREACHABLE);
    expect(await post(["ECHO", "ten bytes"])).toMatchObject({ status: 413 });
    await expect(gateway.setFaults({ errorRate: 2 })).rejects.toThrow("Invalid options: errorRate must be 1 or less");
  });
});

test.each([
  [{ redisUrl: "localhost:6379" }, "redisUrl must be a URL such as redis://127.0.0.1:6379"],
  [{ port: 65_536 }, "port must be a port number"],
  [{ token: "" }, "token must not be empty"],
  [
    { limits: { recordBytes: -1 }, faults: { errorRate: 2 } },
    "limits.recordBytes must be a number, 0 or more; faults.errorRate must be 1 or less",
  ],
  [{ tokens: [] }, 'Unrecognized key: "tokens"'],
])("the options %j are refused by their names", async (wrong, message) => {
  const options = { redisUrl: "redis://127.0.0.1:1", ...wrong };
  for (const start of [startUpstashGateway, startGatewayThread]) {
    await expect(start(options)).rejects.toThrow(`Invalid options: ${message}`);
  }
});
