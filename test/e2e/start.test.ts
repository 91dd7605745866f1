import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { ListSchedulesCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import { expect, onTestFailed, onTestFinished, test } from "vitest";
import { fetchDocumented } from "../../lab/contract.ts";
import { startRedis } from "../../local/redis/redis-server.ts";
import { startOffline } from "../support/offline.ts";
import { isListening } from "../support/servers.ts";
import { sharedService, urlOf } from "./service.ts";

const PROJECT = join(import.meta.dirname, "../..");

/** What `npm start` does not need, by its name in the project's folder. The packages are linked. */
const NOT_COPIED = /^(\..*|docs|node_modules|test)$/;

const FILE = "lib/http/problem.ts";
const DETAIL = "Check the pk.";
const CHANGED_DETAIL = "Check the pk again.";

test("an order service that already runs is named as what has the port, in one line", async () => {
  const { ORDERS_API_PORT } = sharedService().env;
  const line = `Port ${ORDERS_API_PORT} (the API) is taken by an order service that already runs: stop it, or set ORDERS_API_PORT to another port`;
  await expect(startOffline({ ORDERS_API_PORT })).rejects.toThrow(new RegExp(`\\n${RegExp.escape(line)}\\n$`));
});

/** What a developer's shell may hold, and what no call on this machine may obey. */
const SHELL = {
  AWS_USE_FIPS_ENDPOINT: "true",
  AWS_USE_DUALSTACK_ENDPOINT: "true",
  AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true",
  NODE_USE_ENV_PROXY: "1",
  HTTP_PROXY: "http://127.0.0.1:9",
  NODE_ENV: "production",
  TZ: "Asia/Kolkata",
};

test("npm start on a database of one's own: a shell's settings change nothing, changed files are served, a lost database is reported and returns, Ctrl-C ends all but the database", {
  timeout: 400_000,
}, async () => {
  // given
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const folder = await copyOfProject();
  const service = await startOffline({ REDIS_URL: redis.url, ...SHELL }, [], folder);
  onTestFailed(() => void process.stderr.write(service.output()));
  onTestFinished(async () => void (await service.stop()));
  const location = (await place(service.api)).headers.get("location");
  expect(location).toMatch(/^\/orders\/\w{26}$/);
  expect(await schedulesAt(urlOf(service, "SCHEDULER"))).toContain(location?.split("/").at(-1));
  expect(service.output()).not.toMatch(/HEAD|Scheduling|\/invocations/);

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
  await expect
    .poll(async () => (await place(service.api)).json())
    .toMatchObject({ code: "internal_error", status: 500 });
  await expect.poll(() => service.output()).toMatch(/"ERROR".*"redis_failed".*cannot be reached/);

  // when it is back
  const back = await startRedis({ port: redis.port });
  onTestFinished(() => back.stop());
  await expect.poll(async () => (await place(service.api)).status).toBe(200);
  expect((await fetchDocumented(`${service.api}${location}`)).status).toBe(404);

  // when the service is stopped
  const ports = ["API", "LAMBDA", "SCHEDULER", "UPSTASH"].map((part) => Number(service.env[`ORDERS_${part}_PORT`]));
  expect(await Promise.all(ports.map(isListening))).not.toContain(false);
  const { code } = await service.stop();
  expect(code).toBe(0);
  await expect.poll(() => Promise.all(ports.map(isListening))).not.toContain(true);
  expect(await isListening(back.port)).toBe(true);
});

async function schedulesAt(endpoint: string): Promise<(string | undefined)[]> {
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const { Schedules = [] } = await new SchedulerClient({ endpoint, region: "local", credentials }).send(
    new ListSchedulesCommand({}),
  );
  return Schedules.map(({ Name }) => Name);
}

function place(api: string): Promise<Response> {
  return fetchDocumented(`${api}/orders`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: "tea-green", quantity: 2 }),
  });
}

async function copyOfProject(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "orders-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await cp(PROJECT, folder, { recursive: true, filter: (path) => !NOT_COPIED.test(relative(PROJECT, path)) });
  await symlink(join(PROJECT, "node_modules"), join(folder, "node_modules"));
  return folder;
}
