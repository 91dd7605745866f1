import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startUpstashGateway } from "upstash-rest-gateway";
import { expect, onTestFinished, test } from "vitest";
import { startRedis } from "../../local/redis/redis-server.ts";
import { fetchDocumented } from "../support/fetch-documented.ts";
import type { Offline } from "../support/offline.ts";
import { listens, place, running } from "./service.ts";

test("the database is the one of REDIS_URL, which is not stopped with the service", async () => {
  // given
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const service = await running({ REDIS_URL: redis.url });
  const location = await locationOfNewOrder(service);
  // when
  await service.stop();
  // then
  expect(await listens(String(redis.port))).toBe(true);
  const again = await running({ REDIS_URL: redis.url });
  expect((await fetchDocumented(again.api + location)).status).toBe(200);
});

test("the database is the one of UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN", async () => {
  // given
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const upstash = await startUpstashGateway({ redisUrl: redis.url, token: "a-token-of-ours" });
  onTestFinished(() => upstash.stop());
  // when
  const service = await running({
    UPSTASH_REDIS_REST_URL: upstash.url,
    UPSTASH_REDIS_REST_TOKEN: "a-token-of-ours",
  });
  // then
  expect((await place(service)).status).toBe(200);
  expect(service.output()).not.toContain("a-token-of-ours");
});

test("the database keeps its data over a restart in the folder of ORDERS_DATA_DIR, and is fresh without it", async () => {
  // given
  const ORDERS_DATA_DIR = await mkdtemp(join(tmpdir(), "orders-data-"));
  onTestFinished(() => rm(ORDERS_DATA_DIR, { recursive: true, force: true }));
  const first = await running({ ORDERS_DATA_DIR });
  const location = await locationOfNewOrder(first);
  // when
  await first.stop();
  // then
  const second = await running({ ORDERS_DATA_DIR });
  expect((await fetchDocumented(second.api + location)).status).toBe(200);
  await second.stop();
  const fresh = await running();
  expect((await fetchDocumented(fresh.api + location)).status).toBe(404);
});

test("the database may be killed: orders get 500 and a log line says why, until it is back", async () => {
  // given
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const service = await running({ REDIS_URL: redis.url });
  const location = await locationOfNewOrder(service);
  // when
  process.kill(redis.pid, "SIGKILL");
  await redis.exited;
  // then
  const reply = await place(service);
  expect(reply.status).toBe(500);
  expect(await reply.json()).toMatchObject({ code: "internal_error" });
  await expect.poll(() => service.output()).toMatch(/"ERROR".*"redis_failed".*cannot be reached/);
  // when it is back
  const back = await startRedis({ port: redis.port });
  onTestFinished(() => back.stop());
  // then
  await expect.poll(async () => (await place(service)).status).toBe(200);
  expect((await fetchDocumented(service.api + location)).status).toBe(404);
});

async function locationOfNewOrder(service: Offline): Promise<string> {
  const reply = await place(service);
  expect(reply.status).toBe(200);
  return reply.headers.get("location") ?? "";
}
