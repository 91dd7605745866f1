import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { useRedis } from "../../../test/support/redis.ts";

const PACKAGE = join(import.meta.dirname, "..");
const ROOT = join(PACKAGE, "../..");
const INSTALL = ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"];

const run = promisify(execFile);
const redis = useRedis();

/** An empty folder in which the packed package is installed, beside the official client. */
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "upstash-rest-gateway-"));
  await run(process.execPath, [join(ROOT, "packages/build.mjs"), "upstash-rest-gateway"]);
  const { stdout } = await run("npm", ["pack", "--silent", join(PACKAGE, "dist"), "--pack-destination", folder]);
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await run("npm", [...INSTALL, `./${stdout.trim()}`, "@upstash/redis", "@types/node"], { cwd: folder });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the command to its end. */
async function cli(...args: readonly string[]) {
  const child = spawn("npx", ["upstash-rest-gateway", ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
  const [code] = await once(child, "close");
  return { code, output };
}

test("the README's program runs, and its types are right", async () => {
  const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
  const [, program = ""] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  await writeFile(join(folder, "program.ts"), program);
  const tsc = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", "node", "program.ts"];

  await run(join(ROOT, "node_modules/.bin/tsc"), tsc, { cwd: folder });
  const { stdout } = await run(process.execPath, ["program.ts"], {
    cwd: folder,
    env: { ...process.env, REDIS_URL: redis.url },
  });

  expect(stdout).toBe("{ hello: 'world' }\n");
});

test("npx starts the gateway, says where it is, and ends at once on Ctrl-C", async () => {
  const child = spawn(
    "node_modules/.bin/upstash-rest-gateway",
    ["--redis-url", redis.url, "--port", "0", "--token", "mine"],
    {
      cwd: folder,
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const url = String((await lines.next()).value).replace("UPSTASH_REDIS_REST_URL=", "");
  expect((await lines.next()).value).toBe("UPSTASH_REDIS_REST_TOKEN=mine");

  const reply = await fetch(`${url}/set/key/value`, { headers: { authorization: "Bearer mine" } });
  expect(await reply.json()).toEqual({ result: "OK" });
  expect(await redis.client.get("key")).toBe("value");

  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([0, null]);
});

test("--help lists the options", async () => {
  expect(await cli("--help")).toEqual({ code: 0, output: expect.stringContaining("--read-only-token <text>") });
});

test.for([
  [["--prot", "1"], /^Unknown option '--prot'.*\. Run with --help for the options\.\n$/],
  [["--port", "http"], /^--port must be a port number\. Run with --help for the options\.\n$/],
  [["--redis-url", "localhost"], /^--redis-url must be a URL such as .*\n$/],
] as const)("the options %o are refused in one line", async ([args, line]) => {
  expect(await cli(...args)).toEqual({ code: 2, output: expect.stringMatching(line) });
});

test("a port in use is an error in one line", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void other.close());
  await once(other, "listening");
  const address = other.address();
  const port = String(typeof address === "object" ? address?.port : "");

  expect(await cli("--redis-url", redis.url, "--port", port)).toEqual({
    code: 1,
    output: expect.stringMatching(new RegExp(`^Cannot listen on port ${port}: .*EADDRINUSE.*\\n$`)),
  });
});
