import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { useRedis } from "../../../test/support/redis.ts";
import { listen } from "../../../test/support/servers.ts";
import { usePackedPackage } from "../../packed-package.ts";

const redis = useRedis();
const { readmeProgram, checkTypes, startProgram, start, cli } = usePackedPackage(
  "upstash-rest-gateway",
  "@upstash/redis",
);

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
  const other = createServer();
  onTestFinished(() => void other.close());
  const { port } = new URL(await listen(other));

  const [help, unknown, notANumber, notAUrl, inUse] = await Promise.all([
    cli("--help"),
    cli("--prot", "1"),
    cli("--port", "http"),
    cli("--redis-url", "localhost"),
    cli("--redis-url", redis.url, "--port", port),
  ]);

  expect(help).toEqual({ code: 0, output: expect.stringContaining("--read-only-token <text>") });
  const line = (start: string) => expect.stringMatching(new RegExp(`^${start}.*\\n$`));
  expect(unknown).toEqual({ code: 2, output: line("Unknown option '--prot'.*\\. Run with --help for the options\\.") });
  expect(notANumber).toEqual({ code: 2, output: line("--port must be a port number\\. Run with --help") });
  expect(notAUrl).toEqual({ code: 2, output: line("--redis-url must be a URL such as ") });
  expect(inUse).toEqual({ code: 1, output: line(`Cannot listen on port ${port}: .*EADDRINUSE`) });
});
