import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { startRedis } from "../../../local/redis/server.ts";
import { ask, startedRedis, temporaryFolder } from "./support.ts";

test("a second Redis in one data folder is refused in one line, and the first one's data is as it was", async () => {
  // given
  const dataDir = await temporaryFolder();
  const first = await startedRedis({ dataDir });
  await ask(first.url, "SET", "whose", "the first one's");
  // when
  const second = startRedis({ dataDir });
  // then
  await expect(second).rejects.toThrow(
    `A service that runs keeps its data in ${dataDir}: stop it, or set ORDERS_DATA_DIR to another folder`,
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
  await expect(startRedis({ dataDir })).rejects.toThrow("A service that runs keeps its data in");
});

test("a data folder that is a file is refused in one line", async () => {
  const file = join(await temporaryFolder(), "file");
  await writeFile(file, "");

  await expect(startRedis({ dataDir: file })).rejects.toThrow(
    /^The data folder \/.*\/file cannot be made \(EEXIST.*\): set ORDERS_DATA_DIR to another$/,
  );
});

test("a data folder whose path is too long for a socket is refused in one line", async () => {
  const dataDir = join(await temporaryFolder(), "long".repeat(30));

  await expect(startRedis({ dataDir })).rejects.toThrow(
    /^The path .+ is too long for a socket: set ORDERS_DATA_DIR to a folder with a shorter one$/,
  );
});
