import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFailed, onTestFinished, test } from "vitest";
import { z } from "zod";
import { removeStaleFolders } from "../../local/process-lifecycle.ts";
import { isListening } from "../support/servers.ts";
import { temporaryFolder } from "./redis/support.ts";

/** For open connections (serverless-offline, and the service of this test). */
const OFFLINE_WAITS_MS = 5_000;

const SERVICE = join(import.meta.dirname, "service.ts");

const Started = z.object({ pid: z.int(), api: z.int(), stack: z.array(z.int()) });

test.for(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s ends everything before serverless-offline would, and logs nothing, with open connections",
  async (signal) => {
    const service = await startService();
    const [client] = await Promise.all([connection(service.api), connection(service.stack[0])]);
    client.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(client, "data");

    const sentMs = performance.now();
    process.kill(service.pid, signal);

    expect(await service.exited).toEqual([0, null]);
    expect(performance.now() - sentMs).toBeLessThan(OFFLINE_WAITS_MS);
    expect(service.output()).toBe("");
    expect(await Promise.all(service.stack.map(isListening))).not.toContain(true);
  },
);

test("SIGKILL to npm alone ends everything", async () => {
  const service = await startService("/bin/sh", "-c", `${process.execPath} "$0"; :`);

  process.kill(service.parent, "SIGKILL");

  await expect.poll(() => Promise.all([service.api, ...service.stack].map(isListening))).not.toContain(true);
});

test("only the folders of processes that no longer run are removed", async () => {
  const folder = await temporaryFolder();
  const dead = spawn("true");
  await once(dead, "exit");
  for (const name of [`build-${process.pid}`, `build-${dead.pid}`, "build-", "build-x", "other-1"]) {
    await mkdir(join(folder, name, "inside"), { recursive: true });
  }

  removeStaleFolders(folder, "build-");
  removeStaleFolders(join(folder, "missing"));

  expect((await readdir(folder)).sort()).toEqual(["build-", `build-${process.pid}`, "build-x", "other-1"].sort());
});

/** The program service.ts, started by npm or by a shell that stands for it. */
async function startService(command = process.execPath, ...args: string[]) {
  const parent = spawn(command, [...args, SERVICE], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, npm_lifecycle_event: "start" },
  });
  let output = "";
  parent.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  onTestFailed(() => void process.stderr.write(output));
  const lines = createInterface({ input: parent.stdout })[Symbol.asyncIterator]();
  const started = Started.parse(JSON.parse(z.string().parse((await lines.next()).value)));
  onTestFinished(async () => {
    if (existsSync(`/proc/${started.pid}`)) process.kill(started.pid, "SIGKILL");
    await expect.poll(() => isListening(started.api)).toBe(false);
  });
  return { ...started, parent: parent.pid ?? 0, exited: once(parent, "exit"), output: () => output };
}

async function connection(port: number | undefined) {
  const socket = connect(port ?? 0, "127.0.0.1").on("error", () => undefined);
  await once(socket, "connect");
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}
