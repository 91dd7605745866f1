import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import type { Machine } from "../../../local/redis/machine.ts";
import { builtEarlier } from "../../../local/redis/ways/built-earlier.ts";
import { sourceBuild } from "../../../local/redis/ways/source-build.ts";
import { bareMachine, program, said, temporaryFolder } from "./support.ts";

beforeEach(() => {
  for (const proxy of ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"]) vi.stubEnv(proxy, "");
  return () => {
    vi.unstubAllEnvs();
  };
});

test("redis-memory-server builds the download, and the next start finds that build", async () => {
  const machine = await withCompiler();
  const archive = await sourceArchive();
  const requested: string[] = [];
  await mirror((request, response) => {
    requested.push(request.url ?? "");
    response.setHeader("content-length", archive.length).end(archive);
  });
  const say = said();

  const binary = await sourceBuild(machine, say);

  expect(requested).toEqual(["/releases/redis-7.2.12.tar.gz"]);
  expect(say.lines).toEqual(["No Redis found: downloading and building Redis 7.2.12, which takes some minutes …"]);
  expect(await builtEarlier(machine, say)).toBe(binary);
});

test("a download that fails gives its reason in one line", async () => {
  const machine = await withCompiler();
  await mirror((_, response) => response.writeHead(503).end());

  await expect(sourceBuild(machine, said())).rejects.toThrow(/^source build: Status Code isnt 200!$/);
});

test.for(["make", "cc"])("without %s nothing is downloaded", async (missing) => {
  const machine = await bareMachine();
  for (const tool of ["make", "cc"]) if (tool !== missing) await program(machine.path, tool, "exit 0");
  const say = said();

  await expect(sourceBuild(machine, say)).rejects.toThrow(`source build: ${missing} is not on PATH`);
  expect(say.lines).toEqual([]);
});

test("the source's TLS certificate is checked", async () => {
  const machine = await withCompiler();
  const { path } = machine;
  vi.stubEnv("REDISMS_DOWNLOAD_MIRROR", "https://127.0.0.1:1");
  vi.stubEnv("NODE_OPTIONS", `--import=data:text/javascript,${encodeURIComponent(WRITE_TLS_CHOICE)}`);
  vi.stubEnv("TLS_CHOICE_FILE", join(path, "tls"));

  await expect(sourceBuild(machine, said())).rejects.toThrow("ECONNREFUSED");

  expect(await readFile(join(path, "tls"), "utf8")).toBe("true");
});

/** Runs inside the build process, ahead of the package: notes what it asks of TLS. */
const WRITE_TLS_CHOICE = `
import { writeFileSync } from "node:fs";
import { Agent } from "node:https";
const { createConnection } = Agent.prototype;
Agent.prototype.createConnection = function (options, ...rest) {
  writeFileSync(process.env.TLS_CHOICE_FILE, String(options.rejectUnauthorized));
  return createConnection.call(this, options, ...rest);
};`;

/** Its make leaves a "server" where Redis's own make does. */
async function withCompiler(): Promise<Machine> {
  const machine = await bareMachine();
  await program(machine.path, "cc", "exit 0");
  await program(
    machine.path,
    "make",
    `printf '#!/bin/sh\\necho Redis server v=7.2.12\\n' > src/redis-server && /bin/chmod 755 src/redis-server`,
  );
  return machine;
}

async function sourceArchive(): Promise<Buffer> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "redis-7.2.12", "src"), { recursive: true });
  await writeFile(join(folder, "redis-7.2.12", "Makefile"), "all:\n");
  await promisify(execFile)("tar", ["-czf", "redis.tar.gz", "redis-7.2.12"], { cwd: folder });
  return readFile(join(folder, "redis.tar.gz"));
}

async function mirror(listener: RequestListener): Promise<void> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no TCP port");
  vi.stubEnv("REDISMS_DOWNLOAD_MIRROR", `http://127.0.0.1:${address.port}`);
}
