import { createServer as createTcpServer } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { assertRedisAnswers, assertUpstashAnswers, startDatabase } from "../../local/database.ts";
import { listen } from "../../local/ports.ts";
import { READ_ONLY_TOKEN, readSettings } from "../../local/settings.ts";
import { useRedis } from "../support/redis.ts";
import { answering, freePorts, json, silent, text } from "../support/servers.ts";
import { useStore } from "../support/store.ts";
import { temporaryFolder } from "./redis/support.ts";

const store = useStore();
const redis = useRedis();

const LIMIT = { error: "ERR max daily request limit exceeded" };

test.for<[string, url: () => string | Promise<string>, token: string, RegExp]>([
  [
    "that refuses the token",
    () => store.url,
    "not-the-token",
    /^The token is refused at http\S+: copy UPSTASH_REDIS_REST_TOKEN from (?!.*not-the-token).+$/,
  ],
  [
    "whose token may only read",
    () => store.url,
    READ_ONLY_TOKEN,
    /^The token may only read at http\S+: set UPSTASH_REDIS_REST_TOKEN to the standard one$/,
  ],
  [
    "that is another web server",
    () => answering(text(404, "<html>")),
    "a",
    /^What answers at http\S+ is no Upstash database \(status 404\): correct UPSTASH_REDIS_REST_URL$/,
  ],
  [
    "with another reason",
    () => answering(json(400, LIMIT)),
    "a",
    /^The database at http\S+ refuses requests \(ERR max daily request limit exceeded\): see Upstash's console$/,
  ],
])("an Upstash database %s is reported in one line", async ([, url, token, line]) => {
  await expect(assertUpstashAnswers(await url(), token)).rejects.toThrow(line);
});

test.for<[string, host: () => string | Promise<string>, RegExp]>([
  [
    "that never answers",
    silent,
    /^No Redis answers at 127\S+ \((?!.*secret).+\): start it, correct REDIS_URL, or unset it to .+$/,
  ],
  [
    "that refuses the password",
    () => redis.url,
    /^The Redis at \S+ refuses the connection \(WRONGPASS(?!.*secret).+\): correct the user and the password in REDIS_URL$/,
  ],
  [
    "that is older than 7.0",
    oldRedis,
    /^The Redis at \S+ is version 6\.2\.14: set REDIS_URL to one of 7\.0 or newer, /,
  ],
])("a Redis %s is reported in one line, without the password", async ([, start, line]) => {
  const { host } = new URL(await start());

  await expect(assertRedisAnswers(`redis://nobody:secret@${host}`, 1_000)).rejects.toThrow(line);
});

test.for<[NodeJS.ProcessEnv, RegExp]>([
  [
    {},
    /^Redis stopped unexpectedly\. Its data is lost \(ORDERS_DATA_DIR would keep it\)\. Start it again with: \S+ .+\n$/,
  ],
  [{ ORDERS_DATA_DIR: "yes" }, /^Redis stopped unexpectedly\. Its data is kept\. Start it again with: \S+ .+\n$/],
])(
  "with %j, a Redis that is killed is reported with how to start it again and what it then holds",
  async ([env, line]) => {
    const folder = env.ORDERS_DATA_DIR && { ORDERS_DATA_DIR: await temporaryFolder() };
    const database = await startDatabase(readSettings({ ...(await freePorts("ORDERS_UPSTASH_PORT")), ...folder }));
    onTestFinished(() => database.stop());
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    onTestFinished(() => write.mockRestore());

    process.kill(database.redisPid ?? expect.unreachable(), "SIGKILL");

    await expect.poll(() => write.mock.calls.map(([text]) => text)).toContainEqual(expect.stringMatching(line));
  },
);

async function oldRedis(): Promise<string> {
  const info = "# Server\r\nredis_version:6.2.14\r\n";
  const old = createTcpServer((socket) => {
    socket.on("data", () => socket.write(`$${info.length}\r\n${info}\r\n`));
    socket.on("error", () => undefined);
  });
  onTestFinished(() => void old.close());
  return listen(old);
}
