import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect, onTestFailed, onTestFinished, test } from "vitest";
import { startRedis } from "../../local/redis/redis-server.ts";
import { fetchDocumented } from "../support/contract.ts";
import { startOffline } from "../support/offline.ts";
import { isListening, listen } from "../support/servers.ts";
import { place, type Service, sharedService } from "./service.ts";

const PROJECT = join(import.meta.dirname, "../..");

/** What `npm start` does not need, by its name in the project's folder. The packages are linked. */
const NOT_COPIED = /^(\..*|docs|node_modules|test)$/;

const FILE = "lib/http/problem.ts";
const DETAIL = "Check the pk.";
const CHANGED_DETAIL = "Check the pk again.";

test("the order service and any other program on its port are told apart, in one line", async () => {
  const other = createServer((socket) => socket.destroy());
  const { port } = new URL(await listen(other));
  onTestFinished(() => void other.close());
  const { ORDERS_API_PORT } = sharedService().env;

  const starts = [
    [ORDERS_API_PORT, "an order service that already runs"],
    [port, "another program"],
  ].map(async ([taken, by]) => {
    const line = `Port ${taken} (the API) is taken by ${by}: stop it, or set ORDERS_API_PORT to another port`;
    await expect(startOffline({ ORDERS_API_PORT: taken })).rejects.toThrow(new RegExp(`\\n${RegExp.escape(line)}\\n$`));
  });
  await Promise.all(starts);
});

test("npm start on a database of one's own: changed files are served, a lost database is told and comes back, Ctrl-C ends all but the database", {
  timeout: 400_000,
}, async () => {
  // given
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const folder = await copyOfProject();
  const service = await startOffline({ REDIS_URL: redis.url }, [], folder);
  onTestFailed(() => void process.stderr.write(service.output()));
  onTestFinished(async () => void (await service.stop()));
  const location = await locationOfNewOrder(service);

  // when a file is changed; now and then again, since it may not be watched yet when the service is ready
  const changed = (await readFile(join(folder, FILE), "utf8")).replace(DETAIL, CHANGED_DETAIL);
  let reads = 0;
  async function readAfterChange(): Promise<unknown> {
    if (reads++ % 20 === 0) await writeFile(join(folder, FILE), changed);
    return (await fetchDocumented(`${service.api}/orders/none`)).json();
  }
  await expect
    .poll(readAfterChange, { timeout: 120_000, interval: 500 })
    .toMatchObject({ detail: expect.stringContaining(CHANGED_DETAIL) });

  // when the database is killed
  process.kill(redis.pid, "SIGKILL");
  await redis.exited;
  // then; a rebuild may still be under way, during which there is another reply
  await expect.poll(async () => (await place(service)).json()).toMatchObject({ code: "internal_error", status: 500 });
  await expect.poll(() => service.output()).toMatch(/"ERROR".*"redis_failed".*cannot be reached/);

  // when it is back
  const back = await startRedis({ port: redis.port });
  onTestFinished(() => back.stop());
  await expect.poll(async () => (await place(service)).status).toBe(200);
  expect((await fetchDocumented(service.api + location)).status).toBe(404);

  // when the service is stopped
  const ports = ["API", "LAMBDA", "SCHEDULER", "UPSTASH"].map((part) => Number(service.env[`ORDERS_${part}_PORT`]));
  expect(await Promise.all(ports.map(isListening))).not.toContain(false);
  const { code } = await service.stop();
  expect(code).toBe(0);
  await expect.poll(() => Promise.all(ports.map(isListening))).not.toContain(true);
  expect(await isListening(back.port)).toBe(true);
});

async function locationOfNewOrder(service: Service): Promise<string> {
  const reply = await place(service);
  expect(reply.status).toBe(200);
  return reply.headers.get("location") ?? "";
}

async function copyOfProject(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "orders-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await cp(PROJECT, folder, { recursive: true, filter: (path) => !NOT_COPIED.test(relative(PROJECT, path)) });
  await symlink(join(PROJECT, "node_modules"), join(folder, "node_modules"));
  return folder;
}
