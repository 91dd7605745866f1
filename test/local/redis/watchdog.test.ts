import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { ask, startedRedis, temporaryFolder } from "./support.ts";

const PARENT = fileURLToPath(new URL("parent.ts", import.meta.url));

const started = z.object({ url: z.string(), pid: z.int(), folder: z.string().min(1) });

test("a parent that exits takes its Redis and the temporary folder along before it is gone", async () => {
  const { lines, url } = await parentWithRedis("exit");

  expect(await nextJson(lines)).toEqual({ folderLeft: false });
  await expect.poll(() => answer(url)).toBe("nobody");
});

test.for(["SIGKILL", "SIGTERM"] as const)(
  "a parent killed by %s takes its Redis and the temporary folder along",
  async (signal) => {
    const { process: parent, url, folder } = await parentWithRedis("wait");
    expect(await answer(url)).toBe("PONG");
    expect(existsSync(folder)).toBe(true);

    parent.kill(signal);

    await expect.poll(() => answer(url)).toBe("nobody");
    await expect.poll(() => existsSync(folder)).toBe(false);
  },
);

test("a parent killed after its Redis still takes the temporary folder along", async () => {
  const { process: parent, url, pid, folder } = await parentWithRedis("wait");
  process.kill(pid, "SIGKILL");
  await expect.poll(() => answer(url)).toBe("nobody");
  expect(existsSync(folder)).toBe(true);

  parent.kill("SIGKILL");

  await expect.poll(() => existsSync(folder)).toBe(false);
});

test("a parent with nothing else to do ends when its Redis is killed", async () => {
  const { process: parent, lines, pid } = await parentWithRedis("run out");

  process.kill(pid, "SIGKILL");

  expect(await nextJson(lines)).toEqual({ folderLeft: false });
  await expect.poll(() => parent.exitCode).toBe(0);
});

test("a parent that is killed leaves the user's data folder complete", async () => {
  const dataDir = await temporaryFolder();
  const { process: parent, url } = await parentWithRedis("wait", dataDir);
  await ask(url, "SET", "order", "kept");

  parent.kill("SIGKILL");
  await expect.poll(() => answer(url)).toBe("nobody");

  const next = await startedRedis({ dataDir });
  expect(await ask(next.url, "GET", "order")).toBe("kept");
});

test("Ctrl-C reaches the parent alone, which stops its Redis itself", async () => {
  const { process: parent, lines, url } = await parentWithRedis("wait");

  process.kill(-(parent.pid ?? expect.unreachable()), "SIGINT");

  expect(await nextJson(lines)).toBe("SIGINT");
  await sleep(500);
  expect(await answer(url)).toBe("PONG");
});

/** In a process group of its own, as a terminal gives each command, so that the test can signal the whole group. */
async function parentWithRedis(...args: string[]) {
  const parent = spawn(process.execPath, [PARENT, ...args], { stdio: ["ignore", "pipe", "inherit"], detached: true });
  onTestFinished(() => {
    parent.kill("SIGKILL");
  });
  const lines = createInterface({ input: parent.stdout })[Symbol.asyncIterator]();
  const { url, pid, folder } = started.parse(await nextJson(lines));
  return { process: parent, lines, url, pid, folder };
}

async function nextJson(lines: AsyncIterator<string, unknown>): Promise<unknown> {
  const { value } = await lines.next();
  return JSON.parse(z.string().parse(value));
}

async function answer(url: string): Promise<unknown> {
  return ask(url, "PING").catch(() => "nobody");
}
