import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { findRedis } from "../../../local/redis/find-redis.ts";
import { startRedis } from "../../../local/redis/redis-server.ts";
import { ask, program, startedRedis, temporaryFolder } from "./support.ts";

test("a started Redis answers on loopback alone, and stop, called twice, leaves no process and no folder", async () => {
  const server = await startRedis();
  expect(server.url).toBe(`redis://127.0.0.1:${server.port}`);
  expect(await ask(server.url, "PING")).toBe("PONG");
  expect(await ask(server.url, "CONFIG", "GET", "bind")).toEqual({ bind: "127.0.0.1" });
  const { dir } = z.object({ dir: z.string() }).parse(await ask(server.url, "CONFIG", "GET", "dir"));
  expect(existsSync(dir)).toBe(true);

  await Promise.all([server.stop(), server.stop()]);

  await server.exited;
  expect(() => process.kill(server.pid, 0)).toThrow("ESRCH");
  expect(existsSync(dir)).toBe(false);
});

test.each(["SELECT 1", "SWAPDB 0 1", "MOVE key 1", "COPY key copy DB 1", "MIGRATE 127.0.0.1 1 key 0 1000"])(
  "no script reaches another database or server by %s",
  async (line) => {
    const { url } = await startedRedis();
    await ask(url, "SET", "key", "value");
    const script = ["EVAL", "return redis.call(unpack(ARGV))", "0", ...line.split(" ")];
    await expect(ask(url, ...script)).rejects.toThrow(/index is out of range|unknown .*command/i);
  },
);

test("a locale that the machine lacks does not matter", async () => {
  vi.stubEnv("LC_ALL", "xx_XX.UTF-8");
  onTestFinished(() => void vi.unstubAllEnvs());
  const folder = await temporaryFolder();
  const strict = await program(
    folder,
    "redis",
    `[ "$LC_ALL" != xx_XX.UTF-8 ] && exec ${await findRedis(() => {})} "$@"`,
  );

  const server = await startedRedis({ binary: strict });

  expect(await ask(server.url, "PING")).toBe("PONG");
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

test("a port that another Redis has is refused by name, however late it is found, and that Redis is left alone", async () => {
  const { port, url } = await startedRedis();
  const slow = await program(await temporaryFolder(), "slow", "sleep 1; echo 'bind: Address already in use'; exit 1");

  await expect(startRedis({ port })).rejects.toThrow(`port ${port}: it is in use`);
  await expect(startRedis({ port, binary: slow })).rejects.toThrow(`port ${port}: it is in use`);

  expect(await ask(url, "PING")).toBe("PONG");
});

test("a Redis that does not start is quoted or named, and leaves no temporary folder", async () => {
  const tmp = await temporaryFolder();
  vi.stubEnv("TMPDIR", tmp);
  onTestFinished(() => void vi.unstubAllEnvs());

  await expect(startRedis({ port: 70_000 })).rejects.toThrow(/exited before it answered.*70000/s);
  await expect(startRedis({ binary: "/nowhere/redis" })).rejects.toThrow("/nowhere/redis cannot be run");

  expect(await readdir(tmp)).toEqual([]);
});

test("a data folder outlives its Redis, which may be killed, and has one Redis at a time", async () => {
  const dataDir = join(await temporaryFolder(), "made", "when missing");
  const stopped = await startRedis({ dataDir });
  await ask(stopped.url, "SET", "order", "kept");
  await stopped.stop();

  const killed = await startedRedis({ dataDir });
  await expect(startRedis({ dataDir })).rejects.toThrow(
    `Another service keeps its data in ${dataDir}. Stop it, or set ORDERS_DATA_DIR to another folder.`,
  );
  expect(await ask(killed.url, "GET", "order")).toBe("kept");
  process.kill(killed.pid, "SIGKILL");
  await killed.exited;
  expect(existsSync(join(dataDir, "redis.sock"))).toBe(true);

  const ending = await startedRedis({ dataDir });
  const last = startedRedis({ dataDir });
  await wait(300);
  process.kill(ending.pid, "SIGTERM");
  expect(await ask((await last).url, "GET", "order")).toBe("kept");
});

test("a data folder that is a file, or whose path is too long for a socket, is refused in one line", async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "file"), "");

  await expect(startRedis({ dataDir: join(folder, "file") })).rejects.toThrow(
    /^Cannot write to \/.*\/file \(EEXIST.*\)\. Set ORDERS_DATA_DIR to a folder of yours\.$/,
  );
  await expect(startRedis({ dataDir: join(folder, "long".repeat(30)) })).rejects.toThrow(
    /^The path .+ is too long for a socket\. Set ORDERS_DATA_DIR to a folder with a shorter path\.$/,
  );
});
