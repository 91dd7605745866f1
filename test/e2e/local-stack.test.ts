import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { startRedis } from "../../local/redis/server.ts";
import { startUpstashGateway } from "../../local/upstash/gateway.ts";
import { fetchDocumented } from "../support/fetch-documented.ts";
import { selling } from "../support/inventory.ts";
import { listen } from "../support/listen.ts";
import { type Offline, startOffline } from "../support/offline.ts";
import { answering } from "../support/servers.ts";

const ORDER = JSON.stringify({ id: "tea-green", quantity: 2 });

async function running(extra: NodeJS.ProcessEnv = {}): Promise<Offline> {
  const service = await startOffline(extra);
  onTestFinished(async () => {
    await service.stop();
  });
  return service;
}

function place(service: Offline): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetchDocumented(`${service.api}/orders`, { method: "POST", headers, body: ORDER });
}

async function locationOfNewOrder(service: Offline): Promise<string> {
  const reply = await place(service);
  expect(reply.status).toBe(200);
  return reply.headers.get("location") ?? "";
}

/** Whether anyone takes a connection there: a process id would also tell of one that is dead and not yet collected. */
async function listens(port: string | undefined): Promise<boolean> {
  const socket = connect(Number(port), "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describe("Ctrl-C", () => {
  test("ends everything that was started, with exit code 0", async () => {
    // given
    const service = await running();
    const ports = ["API", "LAMBDA", "SCHEDULER", "UPSTASH", "REDIS"].map((part) => service.env[`ORDERS_${part}_PORT`]);
    expect(await Promise.all(ports.map(listens))).not.toContain(false);
    // when
    const { code } = await service.stop();
    // then
    expect(code).toBe(0);
    await expect.poll(() => Promise.all(ports.map(listens))).not.toContain(true);
  });
});

describe("a taken port", () => {
  test("by an order service that already runs is told in one line", async () => {
    // given
    const first = await running();
    // when
    const second = startOffline({ ORDERS_API_PORT: first.env.ORDERS_API_PORT });
    // then
    const line = `Port ${first.env.ORDERS_API_PORT} (the API) is taken by an order service that already runs: stop it, or set ORDERS_API_PORT to another port`;
    await expect(second).rejects.toThrow(line);
  });

  test("by another program is told in one line, before anything is built", async () => {
    // given
    const other = createServer((socket) => socket.destroy());
    const { port } = new URL(await listen(other));
    onTestFinished(() => void other.close());
    // when
    const start = startOffline({ ORDERS_API_PORT: port });
    // then
    const line = `Port ${port} (the API) is taken by another program: stop it, or set ORDERS_API_PORT to another port`;
    await expect(start).rejects.toThrow(new RegExp(`\\n${RegExp.escape(line)}\\n$`));
  });
});

test("the inventory of INVENTORY_URL is asked for prices", async () => {
  // given
  const shop = await answering(selling(19.9));
  const service = await running({ INVENTORY_URL: `${shop}/shop/` });
  // when
  const reply = await place(service);
  // then
  expect(await reply.json()).toMatchObject({ price: 19.9, fee: 7.96, total: 47.76 });
});

describe("the database", () => {
  test("is the one of REDIS_URL, which is not stopped with the service", async () => {
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

  test("is the one of UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN", async () => {
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

  test("keeps its data over a restart in the folder of ORDERS_DATA_DIR, and is fresh without it", async () => {
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

  test("may be killed: orders get 500 within 5 seconds and a log line says why, until it is back", async () => {
    // given
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const service = await running({ REDIS_URL: redis.url });
    const location = await locationOfNewOrder(service);
    // when
    process.kill(redis.pid, "SIGKILL");
    await redis.exited;
    // then
    const begun = Date.now();
    const reply = await place(service);
    expect(reply.status).toBe(500);
    expect(Date.now() - begun).toBeLessThan(5_000);
    expect(await reply.json()).toMatchObject({ type: "urn:orders:problem:internal-error" });
    await expect.poll(() => service.output()).toMatch(/"ERROR".*"redis_failed".*cannot be reached/);
    // when it is back
    const back = await startRedis({ port: redis.port });
    onTestFinished(() => back.stop());
    // then
    await expect.poll(async () => (await place(service)).status, { timeout: 20_000 }).toBe(200);
    expect((await fetchDocumented(service.api + location)).status).toBe(404);
  });
});
