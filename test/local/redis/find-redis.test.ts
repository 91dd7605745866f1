import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { debianPackages, findExecutables, findRedis, type Log, type Machine } from "../../../local/redis/find-redis.ts";
import { answering } from "../../support/servers.ts";
import { program, temporaryFolder } from "./support.ts";

const REDIS_7 = "echo 'Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1'";
const REDIS_6 = "echo 'Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=1'";
const VALKEY_8 = "echo 'Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1'";

const HAS_APT = (await findExecutables("apt-get", process.env.PATH ?? "")).length > 0;

beforeEach(() => {
  for (const proxy of ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"]) vi.stubEnv(proxy, "");
  return () => {
    vi.unstubAllEnvs();
  };
});

test("a Redis that exists is used: on PATH as redis-server or valkey-server, or in the cache, if it runs and is new enough", async () => {
  const machine = await bareMachine();
  for (const tool of ["apt-get", "apt-cache", "dpkg"]) await program(machine.path, tool, "exit 1");
  await mkdir(join(machine.cacheFolder, "7.2.12"), { recursive: true });
  const cached = await program(join(machine.cacheFolder, "7.2.12"), "redis-server", REDIS_7);
  const log = vi.fn<Log>();

  const redis = await program(machine.path, "redis-server", "echo 'libjemalloc.so.2: cannot open' >&2; exit 127");
  expect(await findRedis(log, machine)).toBe(cached);
  expect(log).toHaveBeenLastCalledWith(`Skipping ${redis}: it does not run: libjemalloc.so.2: cannot open`);

  await program(machine.path, "redis-server", REDIS_6);
  const valkey = await program(machine.path, "valkey-server", VALKEY_8);
  expect(await findRedis(log, machine)).toBe(valkey);
  expect(log).toHaveBeenLastCalledWith(`Skipping ${redis}: version 6.0.16 is older than 7.0`);

  await program(machine.path, "redis-server", REDIS_7);
  expect(await findRedis(log, machine)).toBe(redis);
  expect(log).toHaveBeenCalledTimes(2);
});

test("when nothing works, one message says what was tried and ends in what to do", async () => {
  const machine = await bareMachine();
  for (const tool of ["apt-cache", "dpkg"]) await program(machine.path, tool, "exit 1");
  await program(machine.path, "apt-get", "echo 'E: Could not resolve deb.debian.org' >&2; exit 100");

  const failure = await findRedis(vi.fn<Log>(), machine).catch((error: unknown) => error);

  expect(failure).toBeInstanceOf(AggregateError);
  const { message } = failure instanceof Error ? failure : { message: "" };
  expect(message).toContain("  - apt-get update: E: Could not resolve deb.debian.org\n");
  expect(message).toContain("  - source build: make is not on PATH\n");
  for (const remedy of ["valkey-server 7.0 or newer", "REDIS_URL", "UPSTASH_REDIS_REST_TOKEN", "C compiler"]) {
    expect(message).toContain(remedy);
  }
  expect(message).toMatch(/Do one of these and start again:(\n {2}- .+){4}$/);
  expect(await readdir(machine.cacheFolder)).toEqual([]);
});

test("a cache folder that cannot be written is named, with the variable that sets another", async () => {
  const machine = await bareMachine();
  for (const tool of ["apt-get", "apt-cache", "dpkg", "make", "cc"]) await program(machine.path, tool, "exit 1");
  await writeFile(machine.cacheFolder, "");

  await expect(findRedis(vi.fn<Log>(), machine)).rejects.toThrow(
    `  - Cannot write to ${machine.cacheFolder} (EEXIST: file already exists, mkdir '${machine.cacheFolder}'). Set XDG_CACHE_HOME to a folder of yours.\n`,
  );
});

/** The real apt and dpkg, on a repository of two packages and a machine on which none is installed. */
describe.skipIf(!HAS_APT)("the Debian package", () => {
  test("is unpacked with its libraries in the cache, beside one that only runs in another container, and found by the next start", async () => {
    const machine = await debian({ version: "5:7.0.15-1~deb12u6", reports: REDIS_7 });
    const others = join(machine.cacheFolder, "debian-others");
    await mkdir(others, { recursive: true });
    const unusable = await program(others, "redis-server", "echo 'no libraries' >&2; exit 1");
    const log = vi.fn<Log>();

    const binary = await findRedis(log, machine);

    const folder = dirname(binary);
    expect(folder).toMatch(/\/debian-\w+$/);
    expect(execFileSync(binary, ["two words"], { encoding: "utf8" })).toBe(
      `libraries ${folder}/usr/lib/x86_64-linux-gnu arguments 1\nRedis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1\n`,
    );
    expect(await readFile(join(folder, "usr/lib/x86_64-linux-gnu/libtest.so"), "utf8")).toBe("a library");
    expect(await readdir(folder)).toEqual(["etc", "redis-server", "usr"]);
    expect((await readdir(machine.cacheFolder)).sort()).toEqual([basename(folder), "debian-others"].sort());
    expect(await findRedis(vi.fn<Log>(), machine)).toBe(binary);
    expect(log.mock.calls.flat()).toEqual([
      `Skipping ${unusable}: it does not run: no libraries`,
      `No Redis found. Downloading the package redis-server to ${folder}; nothing is installed …`,
    ]);
  });

  test.for([
    ["is older than 7.0", "5:6.0.16-1ubuntu1", REDIS_6, "the package redis-server is version 5:6.0.16-1ubuntu1"],
    ["does not run", "5:7.0.15-1", "exit 3", "the package redis-server: it does not run"],
  ] as const)("that %s is refused, and leaves nothing", async ([, version, reports, reason]) => {
    const machine = await debian({ version, reports });

    await expect(debianPackages(machine, vi.fn<Log>())).rejects.toThrow(reason);

    expect(await readdir(machine.cacheFolder)).toEqual([]);
  });
});

test("the source build is made by redis-memory-server, and found by the next start", async () => {
  const machine = await bareMachine();
  await program(machine.path, "cc", "exit 0");
  // It leaves a "server" where Redis's own make does.
  const server = "printf '#!/bin/sh\\necho Redis server v=7.2.12\\n' > src/redis-server";
  await program(machine.path, "make", `${server} && /bin/chmod 755 src/redis-server`);
  const requested: string[] = [];
  const archive = await sourceArchive();
  const mirror = await answering((request, response) => {
    requested.push(request.url ?? "");
    response.setHeader("content-length", archive.length).end(archive);
  });
  vi.stubEnv("REDISMS_DOWNLOAD_MIRROR", mirror);
  const log = vi.fn<Log>();

  const binary = await findRedis(log, machine);

  expect(requested).toEqual(["/releases/redis-7.2.12.tar.gz"]);
  expect(log).toHaveBeenCalledExactlyOnceWith(
    `No Redis found. Building Redis 7.2.12 in ${machine.cacheFolder}, which takes some minutes …`,
  );
  expect(await findRedis(log, machine)).toBe(binary);
  expect(requested).toHaveLength(1);
});

/** A machine with nothing on PATH and an empty cache; both go with the test. */
async function bareMachine(): Promise<Machine> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "bin"));
  return { path: join(folder, "bin"), cacheFolder: join(folder, "cache") };
}

/** A machine without package lists and without a Redis, whose package redis-server needs a library. */
async function debian({ version, reports }: { version: string; reports: string }): Promise<Machine> {
  const { path, cacheFolder } = await bareMachine();
  for (const tool of ["apt-get", "apt-cache", "dpkg", "dpkg-deb", "tar", "sh", "rm"]) {
    const [file] = await findExecutables(tool, process.env.PATH ?? "");
    if (file !== undefined) await program(path, tool, `exec ${file} "$@"`);
  }
  const folder = await temporaryFolder();
  const server = `#!/bin/sh\necho "libraries $LD_LIBRARY_PATH arguments $#"\n${reports}\n`;
  const packages = [
    await addPackage(
      folder,
      { Package: "redis-server", Version: version, Depends: "redis-tools, libtest" },
      "usr/bin/redis-server",
      server,
    ),
    await addPackage(folder, { Package: "redis-tools", Version: version }),
    await addPackage(
      folder,
      { Package: "libtest", Version: "1.0" },
      "usr/lib/x86_64-linux-gnu/libtest.so",
      "a library",
    ),
  ];
  await writeFile(join(folder, "Packages"), packages.join("\n"));
  await writeFile(join(folder, "sources.list"), `deb [trusted=yes] file:${folder} ./\n`);
  await writeFile(join(folder, "status"), "");
  await mkdir(join(folder, "state/lists/partial"), { recursive: true });
  await writeFile(
    join(folder, "apt.conf"),
    `Dir::Etc::sourcelist "${folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "${folder}/state";
Dir::State::status "${folder}/status";
`,
  );
  vi.stubEnv("APT_CONFIG", join(folder, "apt.conf"));
  return { path, cacheFolder };
}

/** @returns its paragraph of the file Packages */
async function addPackage(
  repository: string,
  fields: Record<string, string>,
  path = "etc/empty",
  content = "",
): Promise<string> {
  const root = await temporaryFolder();
  const control = Object.entries({ ...fields, Architecture: "all", Maintainer: "a test", Description: "a test" })
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("");
  for (const file of [join(root, "DEBIAN/control"), join(root, path)]) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, file.endsWith("control") ? control : content, { mode: 0o755 });
  }
  const archive = join(repository, `${fields.Package}.deb`);
  await promisify(execFile)("dpkg-deb", ["--build", "--root-owner-group", root, archive]);
  const deb = await readFile(archive);
  const digest = createHash("sha256").update(deb).digest("hex");
  return `${control}Filename: ./${fields.Package}.deb\nSize: ${deb.length}\nSHA256: ${digest}\n`;
}

async function sourceArchive(): Promise<Buffer> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "redis-7.2.12", "src"), { recursive: true });
  await writeFile(join(folder, "redis-7.2.12", "Makefile"), "all:\n");
  await promisify(execFile)("tar", ["-czf", "redis.tar.gz", "redis-7.2.12"], { cwd: folder });
  return readFile(join(folder, "redis.tar.gz"));
}
