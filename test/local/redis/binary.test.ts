import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { redisBinary } from "../../../local/redis/binary.ts";
import { bareMachine, program, said } from "./support.ts";

const REDIS_7 = "echo 'Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1'";
const REDIS_6 = "echo 'Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=1'";
const VALKEY_8 = "echo 'Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1'";

test("redis-server from PATH comes first, and nothing is said", async () => {
  const machine = await bareMachine();
  const redis = await program(machine.path, "redis-server", REDIS_7);
  await program(machine.path, "valkey-server", VALKEY_8);
  await earlierBuild(machine.buildsFolder);
  const say = said();

  expect(await redisBinary(say, machine)).toBe(redis);
  expect(say.lines).toEqual([]);
});

test("valkey-server serves where there is no redis-server", async () => {
  const machine = await bareMachine();
  const valkey = await program(machine.path, "valkey-server", VALKEY_8);

  expect(await redisBinary(said(), machine)).toBe(valkey);
});

test("a redis-server older than 7.0 is passed over, and a line says so", async () => {
  const machine = await bareMachine();
  const old = await program(machine.path, "redis-server", REDIS_6);
  const valkey = await program(machine.path, "valkey-server", VALKEY_8);
  const say = said();

  expect(await redisBinary(say, machine)).toBe(valkey);
  expect(say.lines).toEqual([`Passing over ${old}: it is version 6.0.16, and 7.0 or newer is needed`]);
});

test("a newer redis-server further down PATH is found behind an old one", async () => {
  const machine = await bareMachine();
  const further = join(machine.path, "further");
  await mkdir(further);
  await program(machine.path, "redis-server", REDIS_6);
  const newer = await program(further, "redis-server", REDIS_7);

  expect(await redisBinary(said(), { ...machine, path: `${machine.path}:${further}` })).toBe(newer);
});

test("a redis-server that does not run is passed over with its own words", async () => {
  const machine = await bareMachine();
  const broken = await program(machine.path, "redis-server", "echo 'libjemalloc.so.2: cannot open' >&2; exit 127");
  const build = await earlierBuild(machine.buildsFolder);
  const say = said();

  expect(await redisBinary(say, machine)).toBe(build);
  expect(say.lines).toEqual([`Passing over ${broken}: it does not run: libjemalloc.so.2: cannot open`]);
});

test("an earlier build is used before anything is installed", async () => {
  const machine = await bareMachine({ root: true });
  await program(machine.path, "apt-get", "exit 1");
  const build = await earlierBuild(machine.buildsFolder);
  const say = said();

  expect(await redisBinary(say, machine)).toBe(build);
  expect(say.lines).toEqual([]);
});

test("when every way fails, one message says what was tried and ends in what a person can do", async () => {
  const machine = await bareMachine({ root: true });
  await program(machine.path, "apt-get", "echo 'E: Could not resolve deb.debian.org' >&2; exit 100");

  const failure = await redisBinary(said(), machine).catch((error: unknown) => error);

  expect(failure).toBeInstanceOf(AggregateError);
  expect(failure).toHaveProperty(
    "message",
    expect.stringMatching(/install redis-server or valkey-server 7\.0 or newer/),
  );
  for (const way of ["REDIS_URL", "UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN", "C compiler"]) {
    expect(failure).toHaveProperty("message", expect.stringContaining(way));
  }
  expect(failure).toHaveProperty("message", expect.stringContaining("apt-get update: E: Could not resolve"));
  expect(failure).toHaveProperty("message", expect.stringContaining("source build: make is not on PATH"));
  expect(failure).toHaveProperty("message", expect.stringMatching(/Do one of these and start again:(\n {2}- .+){4}$/));
  expect(failure).toHaveProperty("errors.length", 2);
});

async function earlierBuild(buildsFolder: string): Promise<string> {
  const folder = join(buildsFolder, "7.2.12");
  await mkdir(folder, { recursive: true });
  return program(folder, "redis-server", REDIS_7);
}
