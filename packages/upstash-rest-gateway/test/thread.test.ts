import { expect, onTestFinished, test } from "vitest";
import { useRedis } from "../../../test/support/redis.ts";
import { startGatewayThread } from "../src/gateway-thread.ts";
import { gatewayAt, READ_ONLY_TOKEN, TOKEN } from "./use-gateway.ts";

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
