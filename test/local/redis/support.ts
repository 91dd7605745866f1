import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";
import { onTestFinished } from "vitest";
import type { Machine, Say } from "../../../local/redis/machine.ts";
import { type RedisServer, type RedisServerOptions, startRedis } from "../../../local/redis/server.ts";

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "orders-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A Redis that ends with the test, whatever the test made of it. */
export async function startedRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  onTestFinished(() => server.stop());
  return server;
}

/** Asks one thing on a connection of its own; rejects when nobody listens there. */
export async function ask(url: string, ...command: string[]): Promise<unknown> {
  const client = createClient({ url, socket: { reconnectStrategy: false } });
  // connect() and sendCommand() reject with the same error.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await client.sendCommand(command);
  } finally {
    if (client.isOpen) client.destroy();
  }
}

export async function folderOf(server: RedisServer): Promise<string> {
  const client = createClient({ url: server.url });
  await client.connect();
  const { dir } = await client.configGet("dir");
  client.destroy();
  if (dir === undefined) throw new Error("Redis names no folder");
  return dir;
}

/** Someone else's program: an executable shell script of that name. */
export async function program(folder: string, name: string, script: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

/** A machine with an empty PATH of one folder, nothing built and no service policy; all of it goes with the test. */
export async function bareMachine(overrides: Partial<Machine> = {}): Promise<Machine> {
  const folder = await temporaryFolder();
  const path = join(folder, "bin");
  await mkdir(path);
  return {
    path,
    root: false,
    buildsFolder: join(folder, "builds"),
    servicePolicyFile: join(folder, "policy"),
    ...overrides,
  };
}

/** Collects what is said. */
export function said(): Say & { readonly lines: string[] } {
  const lines: string[] = [];
  return Object.assign((line: string) => void lines.push(line), { lines });
}
