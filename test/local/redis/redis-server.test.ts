import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { startRedis } from "../../../local/redis/redis-server.ts";
import { ask, folderOf, program, startedRedis, temporaryFolder } from "./support.ts";

test("a started Redis answers on loopback alone", async () => {
  const server = await startedRedis();

  expect(server.url).toBe(`redis://127.0.0.1:${server.port}`);
  expect(await ask(server.url, "PING")).toBe("PONG");
  expect(await ask(server.url, "CONFIG", "GET", "bind")).toEqual({ bind: "127.0.0.1" });
});

test("stop leaves no process and no folder, and may be called twice", async () => {
  const server = await startRedis();
  const folder = await folderOf(server);
  expect(existsSync(folder)).toBe(true);

  await Promise.all([server.stop(), server.stop()]);
  await server.stop();

  await server.exited;
  expect(() => process.kill(server.pid, 0)).toThrow("ESRCH");
  expect(existsSync(folder)).toBe(false);
});

test("with a data folder, the data survives a restart", async () => {
  const dataDir = join(await temporaryFolder(), "made", "when missing");
  const first = await startRedis({ dataDir });
  await ask(first.url, "SET", "order", "kept");
  await first.stop();

  const second = await startedRedis({ dataDir });

  expect(await ask(second.url, "GET", "order")).toBe("kept");
});

test("a killed Redis settles `exited`, and its command starts it again on the same port", async () => {
  const server = await startedRedis();
  process.kill(server.pid, "SIGKILL");
  await server.exited;
  await expect(ask(server.url, "PING")).rejects.toThrow("ECONNREFUSED");

  const byHand = spawn("/bin/sh", ["-c", `exec ${server.command}`], { stdio: "ignore" });
  onTestFinished(async () => {
    byHand.kill("SIGKILL");
    await once(byHand, "exit");
  });

  await expect.poll(() => ask(server.url, "PING").catch(() => "down")).toBe("PONG");
});

test("a port that another Redis has is refused by name, and that Redis is left alone", async () => {
  const other = await startedRedis();

  await expect(startRedis({ port: other.port })).rejects.toThrow(`port ${other.port}: it is in use`);

  expect(await ask(other.url, "PING")).toBe("PONG");
});

test("a Redis that is slow to find its port taken is not mistaken for the one that answers there", async () => {
  const other = await startedRedis();
  const binary = await program(await temporaryFolder(), "slow", "sleep 1; echo 'bind: Address already in use'; exit 1");

  await expect(startRedis({ port: other.port, binary })).rejects.toThrow(`port ${other.port}: it is in use`);
});

test("a Redis that refuses to start is quoted, and leaves no temporary folder", async () => {
  const tmp = await temporaryFolder();
  vi.stubEnv("TMPDIR", tmp);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });

  await expect(startRedis({ port: 70_000 })).rejects.toThrow(/exited before it answered.*70000/s);

  expect(await readdir(tmp)).toEqual([]);
});

test("a binary that is not there is named", async () => {
  await expect(startRedis({ binary: "/nowhere/redis-server" })).rejects.toThrow("/nowhere/redis-server cannot be run");
});

test("a second Redis in one data folder is refused in one line, and the first one's data is as it was", async () => {
  // given
  const dataDir = await temporaryFolder();
  const first = await startedRedis({ dataDir });
  await ask(first.url, "SET", "whose", "the first one's");
  // when
  const second = startRedis({ dataDir });
  // then
  await expect(second).rejects.toThrow(
    `Another service keeps its data in ${dataDir}. Stop it, or set ORDERS_DATA_DIR to another folder.`,
  );
  expect(await ask(first.url, "GET", "whose")).toBe("the first one's");
});

test("a data folder whose Redis is just ending, as after Ctrl-C, is waited for and taken over", async () => {
  // given
  const dataDir = await temporaryFolder();
  const first = await startedRedis({ dataDir });
  await ask(first.url, "SET", "order", "kept");
  // when
  const second = startedRedis({ dataDir });
  await wait(300);
  process.kill(first.pid, "SIGTERM");
  // then
  expect(await ask((await second).url, "GET", "order")).toBe("kept");
});

test("a data folder whose Redis was killed is taken over", async () => {
  // given
  const dataDir = await temporaryFolder();
  const first = await startedRedis({ dataDir });
  await ask(first.url, "SET", "order", "kept");
  process.kill(first.pid, "SIGKILL");
  await first.exited;
  expect(existsSync(join(dataDir, "redis.sock"))).toBe(true);
  // when
  const second = await startedRedis({ dataDir });
  // then
  expect(await ask(second.url, "GET", "order")).toBe("kept");
});

test("a data folder that is a file is refused in one line", async () => {
  const file = join(await temporaryFolder(), "file");
  await writeFile(file, "");

  await expect(startRedis({ dataDir: file })).rejects.toThrow(
    /^Cannot create the data folder \/.*\/file \(EEXIST.*\)\. Set ORDERS_DATA_DIR to another folder\.$/,
  );
});

test("a data folder whose path is too long for a socket is refused in one line", async () => {
  const dataDir = join(await temporaryFolder(), "long".repeat(30));

  await expect(startRedis({ dataDir })).rejects.toThrow(
    /^The path .+ is too long for a socket\. Set ORDERS_DATA_DIR to a folder with a shorter path\.$/,
  );
});
