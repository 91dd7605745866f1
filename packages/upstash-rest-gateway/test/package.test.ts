import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { usePackedPackage } from "../../packed-package.ts";
import { useRedis } from "./redis.ts";

const redis = useRedis();
const { packagingProblems, readmeProgram, checkTypes, startProgram, start, cli, cliIn } = usePackedPackage(
  "upstash-rest-gateway",
  "@upstash/redis",
);

test("publint and attw find nothing", async () => {
  expect(await packagingProblems()).toEqual([]);
});

test("the README's program runs, and its types are right", async () => {
  await checkTypes(await readmeProgram());
  const { stdout } = await startProgram(await readmeProgram(), { REDIS_URL: redis.url });
  expect(await text(stdout)).toBe("{ hello: 'world' }\n");
});

test("its command starts the gateway, says where it is, and ends at once on Ctrl-C", async () => {
  const child = start("--redis-url", redis.url, "--port", "0", "--token", "mine");
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const url = String((await lines.next()).value).replace("UPSTASH_REDIS_REST_URL=", "");
  expect((await lines.next()).value).toBe("UPSTASH_REDIS_REST_TOKEN=mine");

  const reply = await fetch(`${url}/set/key/value`, { headers: { authorization: "Bearer mine" } });
  expect(await reply.json()).toEqual({ result: "OK" });
  expect(await redis.client.get("key")).toBe("value");

  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([0, null]);
});

test("--help lists the options, and wrong ones and a port in use are errors in one line", async () => {
  const { port } = new URL(redis.url);
  const line = (start: string) => expect.stringMatching(new RegExp(`^${start}.*\\n$`));
  const [help, version, inUse, noHost, ...wrong] = await Promise.all([
    cli("-h"),
    cli("--version"),
    cli("--redis-url", redis.url, "--port", port),
    cli("--redis-url", redis.url, "--host", "192.0.2.1", "--port", "0"),
    cli("--prot", "1"),
    cli("--port="),
    cli("--port", "0x10", "--error-rate", "2", "--token="),
    cli("--redis-url", "localhost"),
    cliIn({ REDIS_URL: "localhost:6379" }),
  ]);

  expect(help).toEqual({ code: 0, output: expect.stringContaining("--read-only-token <text>") });
  expect(version).toEqual({ code: 0, output: "0.1.0\n" });
  expect(wrong).toEqual([
    { code: 2, output: line("Unknown option '--prot'.*\\. Run with --help for the options\\.") },
    { code: 2, output: line("--port must be a port number\\. Run with --help") },
    {
      code: 2,
      output: line("--port must be a port number; --token must not be empty; --error-rate must be 1 or less\\."),
    },
    { code: 2, output: line("--redis-url must be a URL such as ") },
    { code: 2, output: line("REDIS_URL must be a URL such as ") },
  ]);
  expect(noHost).toEqual({
    code: 1,
    output: line("Cannot listen on port 0 of 192.0.2.1: .*EADDRNOTAVAIL.* another --host"),
  });
  expect(inUse).toEqual({
    code: 1,
    output: line(`Cannot listen on port ${port} of 127.0.0.1: .*EADDRINUSE.* Stop the other process or`),
  });
});
